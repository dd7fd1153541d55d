"""What is decided about disturbed runs in clusters: which namespaces belong to whom, which results a fault excuses, whether enough runs were killed."""

import unittest

from support import load

cluster_faults = load("cluster-faults")
fault_cluster = load("fault_cluster")
kill_nine = load("kill-nine")


def namespace(name: str, version: str, **labels: str) -> dict:
    metadata = {"name": name, "uid": f"uid-{name}", "resourceVersion": version}
    if labels:
        metadata["labels"] = {key.replace("_", "/"): value for key, value in labels.items()}
    return {"metadata": metadata}


class Namespaces(unittest.TestCase):
    def test_those_with_a_label_of_a_run_are_not_others(self) -> None:
        items = [namespace("default", "1"), namespace("conformance-h1", "2", conformance_run="h1"), namespace("team", "3", owner="them")]
        self.assertEqual(kill_nine.versions_of_others(items), {"default": "uid-default 1", "team": "uid-team 3"})

    def test_a_namespace_that_is_made_anew_has_another_version(self) -> None:
        before = fault_cluster.versions([namespace("a", "1")])
        self.assertNotEqual(before, fault_cluster.versions([namespace("a", "2")]))

    def test_lookalikes_belong_to_no_run(self) -> None:
        pattern = r"conformance-[a-z0-9]{10}"
        self.assertTrue(fault_cluster.is_of_a_run("conformance-h0zzzzzzzz", pattern))
        self.assertFalse(fault_cluster.is_of_a_run("conformance-h0abcdefgh", pattern))
        self.assertFalse(fault_cluster.is_of_a_run("conformance-h0zzzzzzzz-0123456789", pattern))


class Recovery(unittest.TestCase):
    def test_errored_scenarios_are_excused_and_end_the_run_with_3(self) -> None:
        self.assertEqual(cluster_faults.wrong_after_recovery(3, {"a": "passed", "b": "errored"}), [])
        self.assertEqual(cluster_faults.wrong_after_recovery(0, {"a": "passed", "b": "errored"}), ["exit code 0"])

    def test_a_failed_scenario_is_never_excused(self) -> None:
        self.assertEqual(cluster_faults.wrong_after_recovery(1, {"a": "failed"}), ["a failed", "exit code 1"])

    def test_without_errors_the_run_ends_with_0(self) -> None:
        self.assertEqual(cluster_faults.wrong_after_recovery(0, {"a": "passed"}), [])
        self.assertEqual(cluster_faults.wrong_after_recovery(None, {"a": "passed"}), ["exit code None"])

    def test_an_option_goes_with_its_value(self) -> None:
        arguments = ["--agent-image", "a:1", "--app-image", "b:1", "--jobs", "1"]
        self.assertEqual(cluster_faults.without_option(arguments, "--app-image"), ["--agent-image", "a:1", "--jobs", "1"])
        self.assertEqual(cluster_faults.without_option(["--jobs", "1"], "--app-image"), ["--jobs", "1"])


class KilledRuns(unittest.TestCase):
    def test_a_run_names_the_cluster_that_it_makes(self) -> None:
        line = "kind makes the cluster conformance-h2esk7vh4p of kindest/node:v1.20.2"
        self.assertEqual(kill_nine.clusters_made_by(line), ["conformance-h2esk7vh4p"])
        self.assertEqual(kill_nine.clusters_made_by("loading the images into the cluster"), [])

    def test_half_of_the_runs_must_have_been_killed(self) -> None:
        self.assertFalse(kill_nine.too_few_killed(10, 20))
        self.assertTrue(kill_nine.too_few_killed(9, 20))


if __name__ == "__main__":
    unittest.main()
