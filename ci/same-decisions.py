#!/usr/bin/env python3
"""Compares the decisions of the two newest runs below a folder (target/conformance): the same files must be decided the same, byte for byte.

Ends with 1 and the differing lines where they are not, and with 2 where there are not two runs to compare.
"""

import difflib
import pathlib
import sys

MOST_LINES = 60


def newest_two(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the two newest decision records below a folder, the older one first; fewer where there are fewer."""
    # `latest` leads to a run that has a folder of its own: compared with itself, a run always decides the same.
    records = (path for path in folder.glob("*/decisions.tsv") if not path.parent.is_symlink())
    return sorted(records, key=lambda path: path.stat().st_mtime_ns)[-2:]


def differences(earlier: str, later: str) -> list[str]:
    """Returns the lines in which two records differ, as `diff --unified=0` prints them; none where they are the same."""
    lines = difflib.unified_diff(earlier.splitlines(), later.splitlines(), lineterm="", n=0)
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def main() -> int:
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path("target/conformance")
    records = newest_two(folder)
    if len(records) < 2:
        print(f"{len(records)} decision records below {folder}: two are needed", file=sys.stderr)
        return 2
    earlier, later = (record.read_text() for record in records)
    if earlier == later:
        print(f"{len(later.splitlines())} decisions, the same in {records[0].parent.name} and {records[1].parent.name}")
        return 0
    found = differences(earlier, later)
    print(f"{records[0].parent.name} and {records[1].parent.name} decide differently:", *found[:MOST_LINES], sep="\n", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
