"""Says where cargo puts the harness that `cargo build --release` makes: below a folder of the target's name, since `.cargo/config.toml` names one."""

import os
import pathlib
import platform

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = os.environ.get("CARGO_BUILD_TARGET", f"{platform.machine()}-unknown-linux-gnu")
CONFORMANCE = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / TARGET / "release/conformance"
