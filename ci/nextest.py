#!/usr/bin/env python3
"""Lists the trials as nextest does: those of what `local` does not support must be ignored, for nextest counts every other trial that ends well as passed.

Needs what `cargo test --no-run` has built. Ends with 1 and the names where the list is not as `conformance list` has it.
"""

import json
import os
import subprocess
import sys

from built import CONFORMANCE, ROOT

BUILD = ["cargo", "test", "--workspace", "--test", "conformance", "--no-run", "--message-format", "json"]


def executable(messages: str) -> str:
    """Returns the path of the test target's executable, by the messages of cargo."""
    artifacts = (json.loads(line) for line in messages.splitlines() if line.startswith("{"))
    found = [
        message["executable"]
        for message in artifacts
        if message.get("executable") and message["target"]["name"] == "conformance" and "test" in message["target"]["kind"]
    ]
    if len(found) != 1:
        raise SystemExit(f"cargo names {len(found)} executables of the test target `conformance`")
    return found[0]


def names(listing: str) -> set[str]:
    """Returns the names of a terse list of trials."""
    return {line.removesuffix(": test") for line in listing.splitlines() if line.endswith(": test")}


def unsupported(table: str) -> set[str]:
    """Returns the names of the scenarios that a table of `conformance list` marks as not supported by `local`."""
    return {line.split()[1] for line in table.splitlines() if "(not in local: " in line}


def said(command: list[str], **variables: str) -> str:
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> int:
    trials = executable(said(BUILD))
    # As nextest asks: all of them, and then those that are ignored.
    everything = names(said([trials, "--list", "--format", "terse"], NEXTEST="1"))
    ignored = names(said([trials, "--list", "--format", "terse", "--ignored"], NEXTEST="1"))
    expected = unsupported(said([str(CONFORMANCE), "list"]))
    if not expected or not everything > expected or ignored != expected:
        print(f"{len(everything)} trials, {len(ignored)} ignored, {len(expected)} scenarios that local does not support", file=sys.stderr)
        print(*sorted(ignored ^ expected), sep="\n", file=sys.stderr)
        return 1
    print(f"{len(everything)} trials; nextest ignores the {len(ignored)} that local does not support")
    return 0


if __name__ == "__main__":
    sys.exit(main())
