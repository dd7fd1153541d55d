#!/usr/bin/env python3
"""Checks the Markdown files of the checkout: a link leads to a file and a heading that are there, and the index of decisions names each of them.

Documents that are made from the code are held to it by the tests of the crates. Ends with 1 and a line for each fault.
"""

import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")


def links_in(text: str) -> list[str]:
    """Returns the targets of the links of a Markdown text, those within code left out."""
    return LINK.findall(CODE.sub("", FENCE.sub("", text)))


def anchors_in(text: str) -> set[str]:
    """Returns the anchors of the headings of a Markdown text, as GitHub makes them."""
    headings = HEADING.findall(FENCE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def documents_below(root: pathlib.Path) -> dict[str, str]:
    """Returns the text of each Markdown file of a checkout by its path; what a build has made is left out."""
    found = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in {".git", "target"}]
        for path in (pathlib.Path(folder) / name for name in files if name.endswith(".md")):
            found[str(path.relative_to(root))] = path.read_text()
    return found


def dead_links(documents: dict[str, str], root: pathlib.Path) -> list[str]:
    """Returns a line for each link within the checkout that leads nowhere. `documents` has the text of each file by its path."""
    dead = []
    for name, text in sorted(documents.items()):
        for target in links_in(text):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (root / name).parent / path if path else root / name
            if not file.exists():
                dead.append(f"{name}: {target} is not there")
            elif anchor and file.suffix == ".md" and anchor not in anchors_in(file.read_text()):
                dead.append(f"{name}: {target} names a heading that is not there")
    return dead


def missing_in_index(index: str, decisions: list[str]) -> list[str]:
    """Returns a line for each decision that the index does not link."""
    linked = set(links_in(index))
    return [f"docs/adr/README.md: {name} is missing" for name in sorted(decisions) if name not in linked]


def main() -> int:
    documents = documents_below(ROOT)
    decisions = [path.name for path in (ROOT / "docs/adr").glob("[0-9]*.md")]
    faults = dead_links(documents, ROOT) + missing_in_index(documents["docs/adr/README.md"], decisions)
    print("\n".join(faults) if faults else f"{len(documents)} documents, every link leads somewhere")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
