"""Says where cargo puts the harness: with a target named, as `.cargo/config.toml` does, below a folder of the target's name."""

import pathlib
import platform

ROOT = pathlib.Path(__file__).resolve().parent.parent


def conformance(profile: str) -> pathlib.Path:
    """Returns the harness's executable of a folder of cargo's: `release` or `debug`."""
    return ROOT / "target" / f"{platform.machine()}-unknown-linux-gnu" / profile / "conformance"
