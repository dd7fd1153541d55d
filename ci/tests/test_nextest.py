"""What the list of trials is read from: the messages of cargo, a terse list, the table of scenarios."""

import json
import unittest

from support import load

nextest = load("nextest")


class Reading(unittest.TestCase):
    def test_the_executable_is_that_of_the_test_target_and_not_that_of_the_program(self) -> None:
        def artifact(kind: str, path: str) -> str:
            return json.dumps({"reason": "compiler-artifact", "target": {"name": "conformance", "kind": [kind]}, "executable": path})

        messages = "\n".join(["warning: not JSON", artifact("bin", "/bin"), artifact("test", "/test"), '{"reason":"build-finished"}'])
        self.assertEqual(nextest.executable(messages), "/test")
        with self.assertRaises(SystemExit):
            nextest.executable(artifact("bin", "/bin"))

    def test_names_are_those_of_trials(self) -> None:
        self.assertEqual(nextest.names("a::b: test\nc::d: test\n2 tests, 0 benchmarks\n"), {"a::b", "c::d"})

    def test_what_is_marked_in_the_table_is_unsupported(self) -> None:
        table = "A01  decisions::passes  (not in local: rollout) why\nA02  decisions::other  why"
        self.assertEqual(nextest.unsupported(table), {"decisions::passes"})


if __name__ == "__main__":
    unittest.main()
