"""The faults: how they are drawn, the agents that carry another one, and what a run has to clean up by itself."""

import collections
import pathlib
import random
import subprocess
import tempfile
import unittest

import support  # noqa: F401 - the scripts become importable by it.
from fault_kinds import AGENTS, Fault, carrying, kinds, spread
from injection import cleans_up_itself, panics_in


class Drawing(unittest.TestCase):
    def test_every_kind_is_drawn_about_as_often_as_it_stands_in_the_list(self) -> None:
        names = kinds([], stalls=False)
        weights = collections.Counter(names)
        drawn = collections.Counter(fault.kind for fault in spread(names, len(names) * 2, random.Random(1)))
        self.assertEqual(drawn, {kind: weight * 2 for kind, weight in weights.items()})
        self.assertEqual(weights["signal SIGKILL"], 3)
        self.assertEqual(weights["few descriptors"], 1)

    def test_the_moments_of_a_kind_lie_evenly_over_the_run(self) -> None:
        faults = spread(["a", "b"], 8, random.Random(1))
        self.assertEqual(sorted(fault.share for fault in faults if fault.kind == "a"), [0.125, 0.375, 0.625, 0.875])

    def test_a_seed_gives_the_same_order(self) -> None:
        self.assertEqual(spread(["a", "b"], 20, random.Random(7)), spread(["a", "b"], 20, random.Random(7)))
        self.assertNotEqual(spread(["a", "b"], 20, random.Random(7)), spread(["a", "b"], 20, random.Random(8)))

    def test_parts_of_names_choose_kinds(self) -> None:
        self.assertEqual(set(kinds(["read-only", "SIGHUP"], stalls=False)), {"disk of reports read-only", "signal SIGHUP"})
        self.assertEqual(kinds(["no such kind"], stalls=True), [])

    def test_disks_stall_only_where_they_can(self) -> None:
        self.assertEqual(kinds(["stalls"], stalls=False), [])
        self.assertEqual(kinds(["stalls"], stalls=True), ["disk of temporary files stalls"])

    def test_every_misbehaving_agent_is_a_kind(self) -> None:
        self.assertLessEqual(set(AGENTS), set(kinds([], stalls=False)))


class CarriedAgents(unittest.TestCase):
    def test_the_script_starts_the_bytes_behind_it(self) -> None:
        agent = pathlib.Path("/bin/echo").read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "program"
            for script in ("{agent}\n", "{group}\n"):
                program.write_bytes(carrying(script, agent))
                program.chmod(0o755)
                ran = subprocess.run([program, "carried"], capture_output=True, text=True, timeout=30, check=False)
                self.assertEqual((ran.stdout, ran.stderr), ("carried\n", ""), script)

    def test_the_offset_is_that_of_the_first_byte_of_the_agent(self) -> None:
        for name, script in AGENTS.items():
            whole = carrying(script, b"AGENT")
            offset = int(whole.split(b"tail -c +")[1][:5])
            self.assertEqual(whole[offset - 1 :], b"AGENT", name)

    def test_asked_for_its_version_it_ends(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "program"
            program.write_bytes(carrying("{agent}\n", b"not run"))
            program.chmod(0o755)
            self.assertEqual(subprocess.run([program, "--version"], timeout=30, check=False).returncode, 1)


class Judging(unittest.TestCase):
    def test_a_run_that_came_to_its_end_cleans_up_itself(self) -> None:
        for code in (0, 1, 3):
            self.assertTrue(cleans_up_itself(Fault("few descriptors", 0, 0.5), code), code)

    def test_a_run_that_a_signal_ended_or_that_was_interrupted_need_not(self) -> None:
        for code in (-9, -2, 130, None):
            self.assertFalse(cleans_up_itself(Fault("signal SIGKILL", 0, 0.5), code), code)

    def test_one_of_two_runs_need_not_clean_up_after_the_other(self) -> None:
        self.assertFalse(cleans_up_itself(Fault("two runs at once, one killed", 0, 0.5), 0))

    def test_an_agent_that_ends_at_once_is_no_second_run(self) -> None:
        self.assertTrue(cleans_up_itself(Fault("agent that ends at once", 0, 0.5), 3))

    def test_the_first_panic_is_named(self) -> None:
        text = "a line\nthread 'main' panicked at src/a.rs:1:2\nand at b: panicked at too\n"
        self.assertEqual(panics_in(text), ["panic: thread 'main' panicked at src/a.rs:1:2"])
        self.assertEqual(panics_in("no panic\n"), [])


if __name__ == "__main__":
    unittest.main()
