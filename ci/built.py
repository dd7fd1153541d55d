"""Says where cargo puts the harness: below a folder of the target's name, since `.cargo/config.toml` names one.

Runs that are disturbed or repeated use the dev build, which is what `cargo conformance` runs. Benchmarks use the release build and say so.
"""

import os
import pathlib
import platform

ROOT = pathlib.Path(__file__).resolve().parent.parent


def executable(folder: str, environment: dict[str, str], machine: str) -> pathlib.Path:
    """Returns where the harness of a profile is; cargo names the folder of the dev profile `debug`."""
    target = environment.get("CARGO_BUILD_TARGET", f"{machine}-unknown-linux-gnu")
    return ROOT / environment.get("CARGO_TARGET_DIR", "target") / target / folder / "conformance"


CONFORMANCE = executable("debug", dict(os.environ), platform.machine())
CONFORMANCE_RELEASE = executable("release", dict(os.environ), platform.machine())
