"""The reading of reports: a result with and without data, what counts as an alarm, when the first request was judged."""

import unittest

import support  # noqa: F401 - the scripts become importable by it.
from reports import described_totals, first_judged_seconds, passed_and_alarms, result_of, results, scenario_named_in

REPORT = {
    "totals": {"results": {"unsupported": 1, "passed": 1, "failed": 1, "errored": 1}, "requests": 12},
    "scenarios": [
        {"name": "decisions::a", "result": "passed", "phases": {"traffic": 900, "evidence": 200, "ending": 300}},
        {"name": "decisions::b", "result": {"failed": [{"kind": "outcome"}]}, "phases": {"traffic": 50, "ending": 4000}},
        {"name": "drain::c", "result": {"errored": {"causes": ["no pod"]}}, "phases": {}},
        {"name": "drain::d", "result": {"unsupported": {"missing": ["rollout"]}}, "phases": {}},
    ],
}


class Results(unittest.TestCase):
    def test_a_result_without_data_is_its_name(self) -> None:
        self.assertEqual(result_of({"result": "passed"}), ("passed", None))

    def test_a_result_with_data_has_its_name_as_key(self) -> None:
        self.assertEqual(result_of({"result": {"failed": [1]}}), ("failed", [1]))

    def test_every_scenario_has_its_result(self) -> None:
        expected = {"decisions::a": "passed", "decisions::b": "failed", "drain::c": "errored", "drain::d": "unsupported"}
        self.assertEqual(results(REPORT), expected)

    def test_failed_and_errored_are_alarms_and_unsupported_is_none(self) -> None:
        passed, alarms = passed_and_alarms(REPORT)
        self.assertEqual(passed, 1)
        self.assertEqual(sorted(alarms), ["decisions::b", "drain::c"])
        self.assertEqual(alarms["decisions::b"], 'failed: [{"kind": "outcome"}]')

    def test_a_long_alarm_is_cut(self) -> None:
        report = {"scenarios": [{"name": "a::b", "result": {"failed": ["x" * 5000]}}]}
        self.assertEqual(len(passed_and_alarms(report)[1]["a::b"]), len("failed: ") + 300)

    def test_totals_stand_in_the_order_of_their_names(self) -> None:
        self.assertEqual(described_totals(REPORT), "1 errored, 1 failed, 1 passed, 1 unsupported")


class FirstJudged(unittest.TestCase):
    def test_phases_after_the_traffic_are_taken_off(self) -> None:
        # The second line came later, but its pod took four seconds to end.
        self.assertAlmostEqual(first_judged_seconds({"decisions::a": 10.0, "decisions::b": 12.0}, REPORT), 8.0)

    def test_a_scenario_that_was_not_run_has_judged_no_request(self) -> None:
        self.assertIsNone(first_judged_seconds({"drain::d": 1.0}, REPORT))

    def test_nothing_printed_is_nothing_judged(self) -> None:
        self.assertIsNone(first_judged_seconds({}, REPORT))


class ConsoleLines(unittest.TestCase):
    def test_a_line_of_a_scenario_names_it(self) -> None:
        self.assertEqual(scenario_named_in("     passed   3.34 s  drain::c (R01-agent) 4 requests"), "drain::c")

    def test_a_line_of_the_set_up_names_none(self) -> None:
        self.assertIsNone(scenario_named_in("loading the images into the cluster"))


if __name__ == "__main__":
    unittest.main()
