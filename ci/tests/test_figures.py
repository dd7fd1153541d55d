"""Figures and their verdicts: rounds of the clean suite, peaks of memory, arguments that are passed on, where executables lie."""

import pathlib
import unittest

from support import CI, load

from arguments import split_arguments
from built import executable

benchmark = load("benchmark")
features = load("features")
false_alarms = load("false-alarms")
same_decisions = load("same-decisions")


class Rounds(unittest.TestCase):
    def test_clean_rounds_are_no_alarm(self) -> None:
        tally = false_alarms.Tally()
        tally.add("quiet", 40.0, 0, 168, {})
        tally.add("busy", 60.0, 0, 168, {})
        tally.add("quiet", 50.0, 0, 168, {})
        self.assertEqual(tally.code(), 0)
        self.assertEqual(tally.lines()[0], "quiet: 2 rounds, 40.0 to 50.0 s, median 45.0 s, the slowest 1.25 times the fastest")
        self.assertEqual(tally.lines()[-1], "3 rounds, 0 false alarms")

    def test_a_scenario_that_failed_is_an_alarm_and_is_counted(self) -> None:
        tally = false_alarms.Tally()
        tally.add("quiet", 40.0, 1, 167, {"drain::a": "failed: []"})
        tally.add("busy", 40.0, 0, 168, {})
        self.assertEqual(tally.code(), 1)
        self.assertIn("  1 x drain::a", tally.lines())
        self.assertEqual(tally.lines()[-1], "2 rounds, 1 false alarms")

    def test_an_exit_code_without_a_finding_is_an_alarm(self) -> None:
        tally = false_alarms.Tally()
        tally.add("quiet", 40.0, 70, 168, {})
        self.assertEqual(tally.code(), 1)

    def test_rounds_that_judged_different_numbers_are_an_alarm(self) -> None:
        tally = false_alarms.Tally()
        tally.add("quiet", 40.0, 0, 168, {})
        tally.add("busy", 40.0, 0, 150, {})
        self.assertEqual((tally.bad, tally.code()), (0, 1))
        self.assertIn("the rounds differ in how many scenarios were judged: [150, 168]", tally.lines())


class Peaks(unittest.TestCase):
    def test_the_peak_is_read_in_kibibytes(self) -> None:
        self.assertEqual(benchmark.peak_in("Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t   1234 kB\n"), 1234)

    def test_a_zombie_has_none(self) -> None:
        self.assertEqual(benchmark.peak_in("Name:\tx\nState:\tZ (zombie)\n"), 0)

    def test_a_process_that_ended_has_none(self) -> None:
        self.assertEqual(benchmark.peak_kib(pathlib.Path("/proc/0/status")), 0)


class Decisions(unittest.TestCase):
    def test_differing_lines_are_shown_with_their_side(self) -> None:
        self.assertEqual(same_decisions.differences("a\nb\nc", "a\nB\nc"), ["-b", "+B"])

    def test_equal_records_have_no_difference(self) -> None:
        self.assertEqual(same_decisions.differences("a\nb", "a\nb"), [])


class Features(unittest.TestCase):
    def test_marks_of_the_tree_are_no_part_of_a_package(self) -> None:
        tree = "a v1 [std]\na v1 [std] (*)\nb v2 (proc-macro) []\n\n"
        self.assertEqual(features.packages_in(tree), {"a v1 [std]", "b v2 []"})

    def test_a_package_with_fewer_features_is_compiled_twice(self) -> None:
        found = features.compiled_twice({"a v1 [serde,std]", "b v2 []"}, {"a v1 [std]", "b v2 []"})
        self.assertEqual(found, ["a v1 [std] is compiled apart from the tests' a v1 [serde,std]"])

    def test_what_only_tests_need_does_not_count(self) -> None:
        self.assertEqual(features.compiled_twice({"a v1 []", "rstest v1 []"}, {"a v1 []"}), [])


class Arguments(unittest.TestCase):
    def test_what_follows_the_dashes_is_passed_on(self) -> None:
        self.assertEqual(split_arguments(["--rounds", "3", "--", "A01", "--", "x"]), (["--rounds", "3"], ["A01", "--", "x"]))
        self.assertEqual(split_arguments(["--rounds", "3"]), (["--rounds", "3"], []))


class Executables(unittest.TestCase):
    def test_they_lie_below_the_name_of_the_target(self) -> None:
        expected = CI.parent / "target/aarch64-unknown-linux-gnu/debug/conformance"
        self.assertEqual(executable("debug", {}, "aarch64"), expected)

    def test_variables_of_cargo_move_them(self) -> None:
        environment = {"CARGO_TARGET_DIR": "/elsewhere", "CARGO_BUILD_TARGET": "x86_64-unknown-linux-musl"}
        self.assertEqual(executable("release", environment, "x86_64"), pathlib.Path("/elsewhere/x86_64-unknown-linux-musl/release/conformance"))


if __name__ == "__main__":
    unittest.main()
