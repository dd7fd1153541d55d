#!/usr/bin/env python3
"""Checks that a build without tests chooses the features of dependencies that a build with tests chooses (ADR 18).

Where they differ, cargo compiles a crate and everything above it once for a run and once more for the tests. Ends with 1 and the crates that differ:
`harness/features/Cargo.toml` is where the features that only tests ask for are asked for too.
"""

import pathlib
import platform
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def packages(edges: str) -> set[str]:
    """Returns every package that these kinds of dependencies lead to, with its features."""
    target = f"{platform.machine()}-unknown-linux-gnu"
    command = ["cargo", "tree", "--workspace", "--target", target, "--prefix", "none", "--format", "{p} [{f}]", "--edges", edges]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        sys.exit(f"cargo tree failed: {listed.stderr.strip()}")
    return packages_in(listed.stdout)


def packages_in(tree: str) -> set[str]:
    """Returns the packages of a tree without what marks a repetition or a procedural macro."""
    lines = (line.replace(" (*)", "").replace(" (proc-macro)", "") for line in tree.splitlines())
    return {line for line in lines if line}


def compiled_twice(with_tests: set[str], without_tests: set[str]) -> list[str]:
    """Returns a line for each package that a build without tests has with features that no build with tests has."""
    found = []
    for package in sorted(without_tests - with_tests):
        name = package.split(" [")[0]
        others = sorted(other for other in with_tests if other.split(" [")[0] == name)
        found.append(f"{package} is compiled apart from the tests' {', '.join(others) or 'none'}")
    return found


def main() -> int:
    # What programs are linked from, and then with what build scripts and procedural macros have: the same package may be in both, with other features.
    found = compiled_twice(packages("normal,dev,no-proc-macro"), packages("normal,no-proc-macro"))
    found += compiled_twice(packages("normal,build,dev"), packages("normal,build"))
    print("\n".join(dict.fromkeys(found)) if found else "a run and its tests share every dependency")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
