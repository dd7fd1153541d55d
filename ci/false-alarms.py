#!/usr/bin/env python3
"""Runs the clean local suite again and again, half of the times with all cores kept busy by other work, and reports failures and run times.

No failure is expected, and there are no retries. Needs the release binaries: `cargo build --release`. Arguments after `--` are passed to
`conformance run`. Ends with 1 when a scenario has not passed that is supported here, or when rounds differ in how many there are. What a bad
round has left as evidence is kept in target/false-alarms.
"""

import argparse
import collections
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from built import CONFORMANCE, ROOT

KEPT = ROOT / "target/false-alarms"
ROUND_WITHIN_SECONDS = 1200


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
                return elapsed, ran.returncode, 0, {"no report": (ran.stderr.strip().splitlines() or ["nothing said"])[-1]}
            passed, alarms = 0, {}
            for scenario in json.loads(reports[0].read_text())["scenarios"]:
                result = scenario["result"]
                word, what = (result, None) if isinstance(result, str) else next(iter(result.items()))
                passed += word == "passed"
                if word in {"failed", "errored"}:
                    alarms[scenario["name"]] = f"{word}: {json.dumps(what)[:300]}"
            if alarms:
                shutil.copytree(reports[0].parent, KEPT / f"round-{number}", dirs_exist_ok=True)
            return elapsed, ran.returncode, passed, alarms
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, default=CONFORMANCE)
    parser.add_argument("--rounds", type=int, default=50)
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    options = parser.parse_args(words[:split])
    command = [str(options.binary.resolve()), "run", *words[split + 1 :]]
    times: dict[str, list[float]] = collections.defaultdict(list)
    alarms: collections.Counter[str] = collections.Counter()
    counts: set[int] = set()
    bad = 0
    for number in range(1, options.rounds + 1):
        kind = "busy" if number % 2 == 0 else "quiet"
        elapsed, code, passed, found = run(command, kind == "busy", number)
        times[kind].append(elapsed)
        alarms.update(found.keys())
        counts.add(passed + len(found))
        bad += bool(found) or code != 0
        print(f"round {number:>2}  {kind:<5}  {elapsed:6.1f} s  exit {code}  {passed} passed, {len(found)} did not", flush=True)
        for name, what in found.items():
            print(f"  {name} {what}", flush=True)
    for kind, spans in times.items():
        spread = f"{min(spans):.1f} to {max(spans):.1f} s, median {statistics.median(spans):.1f} s"
        print(f"{kind}: {len(spans)} rounds, {spread}, the slowest {max(spans) / min(spans):.2f} times the fastest")
    for name, count in alarms.most_common():
        print(f"{count:>3} x {name}")
    if len(counts) > 1:
        print(f"the rounds differ in how many scenarios were judged: {sorted(counts)}")
    print(f"{options.rounds} rounds, {bad} false alarms")
    return int(bad > 0 or len(counts) > 1)


if __name__ == "__main__":
    sys.exit(main())
