#!/usr/bin/env python3
"""Runs the clean local suite again and again, half of the times with all cores kept busy by other work, and reports failures and run times.

No failure is expected, and there are no retries. Needs the dev build: `cargo build`. Arguments after `--` are passed to `conformance run`.
Ends with 1 when a scenario has not passed that is supported here, or when rounds differ in how many there are. The evidence of a bad round is kept in
target/false-alarms.
"""

import argparse
import collections
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from arguments import split_arguments
from built import CONFORMANCE, ROOT
from reports import passed_and_alarms

EVIDENCE = ROOT / "target/false-alarms"
ROUND_WITHIN_SECONDS = 1200


@dataclasses.dataclass
class Tally:
    """What the rounds came to."""

    times: dict[str, list[float]] = dataclasses.field(default_factory=lambda: collections.defaultdict(list))
    alarms: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    judged: set[int] = dataclasses.field(default_factory=set)
    rounds: int = 0
    bad: int = 0

    def add(self, kind: str, elapsed_seconds: float, code: int, passed: int, found: dict[str, str]) -> None:
        """Takes one round in."""
        self.times[kind].append(elapsed_seconds)
        self.alarms.update(found.keys())
        self.judged.add(passed + len(found))
        self.rounds += 1
        self.bad += bool(found) or code != 0

    def lines(self) -> list[str]:
        """Returns the figures: the spread of the times, each alarm with its count, the number of bad rounds."""
        said = []
        for kind, spans in self.times.items():
            spread = f"{min(spans):.1f} to {max(spans):.1f} s, median {statistics.median(spans):.1f} s"
            said.append(f"{kind}: {len(spans)} rounds, {spread}, the slowest {max(spans) / min(spans):.2f} times the fastest")
        said += [f"{count:>3} x {name}" for name, count in self.alarms.most_common()]
        if len(self.judged) > 1:
            said.append(f"the rounds differ in how many scenarios were judged: {sorted(self.judged)}")
        return [*said, f"{self.rounds} rounds, {self.bad} false alarms"]

    def code(self) -> int:
        """Returns the exit code: 1 where a round was bad, or where rounds judged different numbers of scenarios."""
        return int(self.bad > 0 or len(self.judged) > 1)


def run(command: list[str], busy: bool, number: int) -> tuple[float, int, int, dict[str, str]]:
    """Runs the suite once; returns its time, its exit code, how many passed, and what did not."""
    loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count() or 1)] if busy else []
    try:
        with tempfile.TemporaryDirectory(prefix="false-alarms-") as output:
            started = time.monotonic()
            try:
                ran = subprocess.run([*command, "--output", output], capture_output=True, text=True, cwd=ROOT, check=False, timeout=ROUND_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                return time.monotonic() - started, -1, 0, {"no end": f"within {ROUND_WITHIN_SECONDS} s"}
            elapsed = time.monotonic() - started
            reports = list(pathlib.Path(output).glob("*/report.json"))
            if not reports:
                return elapsed, ran.returncode, 0, {"no report": (ran.stderr.strip().splitlines() or ["no output"])[-1]}
            passed, alarms = passed_and_alarms(json.loads(reports[0].read_text()))
            if alarms:
                shutil.copytree(reports[0].parent, EVIDENCE / f"round-{number}", dirs_exist_ok=True)
            return elapsed, ran.returncode, passed, alarms
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, default=CONFORMANCE)
    parser.add_argument("--rounds", type=int, default=50)
    own, passed_on = split_arguments(sys.argv[1:])
    options = parser.parse_args(own)
    command = [str(options.binary.resolve()), "run", *passed_on]
    tally = Tally()
    for number in range(1, options.rounds + 1):
        kind = "busy" if number % 2 == 0 else "quiet"
        elapsed, code, passed, found = run(command, kind == "busy", number)
        tally.add(kind, elapsed, code, passed, found)
        print(f"round {number:>2}  {kind:<5}  {elapsed:6.1f} s  exit {code}  {passed} passed, {len(found)} did not", flush=True)
        for name, what in found.items():
            print(f"  {name} {what}", flush=True)
    print("\n".join(tally.lines()))
    return tally.code()


if __name__ == "__main__":
    sys.exit(main())
