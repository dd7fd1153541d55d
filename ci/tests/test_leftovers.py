"""The accounting of what is left of a run: processes, mounts, files, what belongs to others, and the time that things have to go."""

import pathlib
import subprocess
import tempfile
import unittest

import support  # noqa: F401 - the scripts become importable by it.
from leftovers import (
    added, changed, children, descendants, files_below, left_after, living_processes, mentions, mounts_in, parse_stat, reap,
)


class Processes(unittest.TestCase):
    def test_a_name_with_spaces_and_parentheses_is_read_whole(self) -> None:
        self.assertEqual(parse_stat("42 (a (b) c) S 7 42 42 0 -1"), ("a (b) c", "S", 7))

    def test_descendants_are_found_through_all_generations(self) -> None:
        processes = {2: (1, "child"), 3: (2, "grandchild"), 4: (9, "stranger")}
        self.assertEqual(descendants(processes, 1), {2: "child", 3: "grandchild"})

    def test_a_circle_of_parents_comes_to_an_end(self) -> None:
        # Numbers are used again: a snapshot that is not taken at one moment may have a circle.
        self.assertEqual(descendants({1: (2, "a"), 2: (1, "b")}, 1), {2: "b", 1: "a"})

    def test_zombies_and_other_entries_of_proc_do_not_count(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            proc = pathlib.Path(folder)
            (proc / "meminfo").write_text("")
            for pid, stat, line in ((5, "5 (sh) S 1 5", b"sh\0-c\0true\0"), (6, "6 (dead) Z 5 5", b""), (7, "7 (kthread) I 2 0", b"")):
                (proc / str(pid)).mkdir()
                (proc / str(pid) / "stat").write_text(stat)
                (proc / str(pid) / "cmdline").write_bytes(line)
            self.assertEqual(living_processes(proc), {5: (1, "sh -c true"), 7: (2, "kthread")})

    def test_a_child_is_seen_while_it_lives_and_not_after(self) -> None:
        child = subprocess.Popen(["sleep", "60"])
        try:
            self.assertIn(child.pid, children())
        finally:
            child.kill()
            child.wait()
        self.assertNotIn(child.pid, children())

    def test_reaping_without_children_does_nothing(self) -> None:
        reap()


class Mounts(unittest.TestCase):
    def test_a_mount_is_its_place_and_what_is_there(self) -> None:
        text = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n37 35 0:5 / /dev/shm rw - tmpfs tmpfs rw\n"
        self.assertEqual(mounts_in(text), {"/mnt2 ext3 /dev/root rw", "/dev/shm tmpfs tmpfs rw"})

    def test_a_mount_over_another_one_is_a_new_one(self) -> None:
        before = mounts_in("1 0 0:1 / /tmp rw - ext4 /dev/a rw\n")
        after = before | mounts_in("2 1 0:2 / /tmp rw - tmpfs tmpfs rw\n")
        self.assertEqual(added(before, after), ["/tmp tmpfs tmpfs rw"])


class Files(unittest.TestCase):
    def test_expected_folders_do_not_count_and_what_is_in_them_does(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "conformance-0/run").mkdir(parents=True)
            (root / "conformance-0/run/lock").write_text("")
            (root / "ballast").write_text("")
            left = files_below(root, {"conformance-0"}, {"ballast"})
            self.assertEqual(left, ["file conformance-0/run", "file conformance-0/run/lock"])

    def test_a_file_with_the_name_of_an_expected_folder_counts(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "made-clusters").write_text("")
            self.assertEqual(files_below(pathlib.Path(folder), {"made-clusters"}), ["file made-clusters"])


class Others(unittest.TestCase):
    def test_what_is_another_one_now_or_gone_has_changed(self) -> None:
        self.assertEqual(changed({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}), ["b", "c"])

    def test_what_came_is_added(self) -> None:
        self.assertEqual(added({"a": "1"}, {"a": "2", "d": "1"}), ["d"])

    def test_without_names_nothing_is_mentioned(self) -> None:
        self.assertFalse(mentions("conformance-h1-control-plane", set()))
        self.assertTrue(mentions("conformance-h1-control-plane", {"conformance-h1"}))


class Waiting(unittest.TestCase):
    def setUp(self) -> None:
        self.now = 0.0

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def left(self, answers: list[list[str]]) -> list[str]:
        asked = iter(answers)
        return left_after(lambda: next(asked, answers[-1]), 10, 1, clock=lambda: self.now, pause=self.wait)

    def test_what_goes_in_time_is_not_left(self) -> None:
        self.assertEqual(self.left([["a"], ["a"], []]), [])
        self.assertEqual(self.now, 2)

    def test_what_stays_is_left_when_the_time_is_over(self) -> None:
        self.assertEqual(self.left([["a"]]), ["a"])
        self.assertEqual(self.now, 10)

    def test_nothing_is_waited_for_where_nothing_is_left(self) -> None:
        self.assertEqual(self.left([[]]), [])
        self.assertEqual(self.now, 0)


if __name__ == "__main__":
    unittest.main()
