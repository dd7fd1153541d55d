"""The check of the Markdown files, and that each recipe of the justfile is one command that CONTRIBUTING.md shows."""

import pathlib
import re
import tempfile
import unittest

from support import CI, load

documents = load("documents")


class Links(unittest.TestCase):
    def dead(self, text: str) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "docs").mkdir()
            (root / "docs/there.md").write_text("# A heading, with `code`\n")
            return documents.dead_links({"docs/a.md": text}, root)

    def test_a_file_that_is_not_there_is_dead(self) -> None:
        self.assertEqual(self.dead("see [this](gone.md)"), ["docs/a.md: gone.md is not there"])

    def test_files_and_folders_that_are_there_are_not(self) -> None:
        self.assertEqual(self.dead("[a](there.md) [b](../docs) [c](https://example.org/gone.md)"), [])

    def test_a_heading_is_looked_for_by_its_anchor(self) -> None:
        self.assertEqual(self.dead("[a](there.md#a-heading-with-code)"), [])
        self.assertEqual(self.dead("[a](there.md#another)"), ["docs/a.md: there.md#another names a heading that is not there"])

    def test_what_stands_in_code_is_no_link(self) -> None:
        self.assertEqual(self.dead("`[a](gone.md)`\n```\n[b](gone.md)\n```\n"), [])

    def test_a_decision_that_the_index_does_not_link_is_named(self) -> None:
        faults = documents.missing_in_index("| [0001](0001-a.md) | A |", ["0001-a.md", "0002-b.md"])
        self.assertEqual(faults, ["docs/adr/README.md: 0002-b.md is missing"])


class Recipes(unittest.TestCase):
    def recipes(self) -> dict[str, list[str]]:
        """Returns the lines of each recipe, without what hides or passes on."""
        found: dict[str, list[str]] = {}
        name = None
        for line in (CI.parent / "justfile").read_text().splitlines():
            if match := re.match(r"([a-z][a-z-]*)( \*[a-z]+)?:$", line):
                name = match[1]
                found[name] = []
            elif name and line.startswith("    "):
                found[name].append(re.sub(r" *\{\{.*?\}\}", "", line.strip().removeprefix("@")))
        return found

    def test_each_is_one_command_that_the_guide_shows(self) -> None:
        shown = (CI.parent / "CONTRIBUTING.md").read_text()
        recipes = self.recipes()
        self.assertIn("run", recipes)
        for name, lines in recipes.items():
            self.assertEqual(len(lines), 1, name)
            self.assertTrue(lines[0] in shown, f"CONTRIBUTING.md does not show `{lines[0]}` ({name})")


if __name__ == "__main__":
    unittest.main()
