"""What the gate on instructions decides: what callgrind has counted, what one Check costs, and which classes cost too much."""

import io
import unittest
from contextlib import redirect_stderr

from support import load

instructions = load("instructions")


class Counting(unittest.TestCase):
    def test_the_count_is_read_from_what_callgrind_says(self) -> None:
        self.assertEqual(instructions.counted("==7== Callgrind\n==7== \n==7== Collected : 28152166\n==7== I refs: 28,152,166\n"), 28152166)
        with self.assertRaises(SystemExit) as ended, redirect_stderr(io.StringIO()):
            instructions.counted("==7== valgrind: no such file")
        # What cannot be counted is no regression.
        self.assertEqual(ended.exception.code, 2)

    def test_what_a_start_costs_is_no_part_of_what_a_check_costs(self) -> None:
        for cost in (1_234, 25_000_000):
            self.assertEqual(instructions.per_check(lambda checks, cost=cost: 5_000_000 + cost * checks), cost)


class Judging(unittest.TestCase):
    held = {"a": 1_000, "b": 1_000}

    def test_a_class_is_dearer_from_the_limit_on(self) -> None:
        self.assertEqual(instructions.dearer(self.held, {"a": 1_010, "b": 1_011}), ["b"])

    def test_a_cheaper_class_and_one_that_is_left_out_are_no_complaint(self) -> None:
        self.assertEqual(instructions.dearer(self.held, {"a": 500}), [])

    def test_a_class_of_which_nothing_is_held_is_a_complaint(self) -> None:
        self.assertEqual(instructions.dearer(self.held, {"c": 1}), ["c"])

    def test_the_change_is_named(self) -> None:
        self.assertEqual([instructions.change(1_000, 1_025), instructions.change(1_000, 400), instructions.change(None, 1)], ["+2.50%", "-60.00%", "new"])


if __name__ == "__main__":
    unittest.main()
