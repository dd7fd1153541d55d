#!/usr/bin/env python3
"""Prints what a run on a cluster costs: when each part of the set-up is reached, when the first scenario is judged, when all is done.

Arguments are passed to `conformance run`; without any, `--environment kind`. Runs the release build, which must be there: `cargo build --release`.
Figures are of this machine and this moment; nothing here passes or fails.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time

from built import CONFORMANCE_RELEASE
from reports import described_totals, first_judged_seconds, scenario_named_in


def main() -> int:
    arguments = sys.argv[1:] or ["--environment", "kind"]
    with tempfile.TemporaryDirectory(prefix="benchmark-cluster-") as folder:
        began = time.monotonic()
        command = [str(CONFORMANCE_RELEASE), "run", *arguments, "--output", folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        reached: list[tuple[float, str]] = []
        # The name of a scenario to the moment at which its line came.
        printed: dict[str, float] = {}
        assert process.stdout
        for line in process.stdout:
            at, line = time.monotonic() - began, line.rstrip()
            name = scenario_named_in(line)
            if not printed and name is None and line:
                reached.append((at, line))
            if name:
                printed.setdefault(name, at)
        code, whole = process.wait(), time.monotonic() - began
        reports = list(pathlib.Path(folder).glob("*/report.json"))
        if not reports:
            print("\n".join(line for _, line in reached))
            print(f"the run ended with {code} and left no report")
            return 1
        report = json.loads(reports[0].read_text())
    for at, line in reached:
        print(f"{at:8.1f} s  {line[:100]}")
    first = first_judged_seconds(printed, report)
    if first is not None:
        print(f"{first:8.1f} s  the first judged request, at the latest")
    print(f"{whole:8.1f} s  the whole, exit code {code}")
    print(f"{len(report['scenarios'])} scenarios ({described_totals(report)}), {report['totals']['requests']} requests judged")
    return 0


if __name__ == "__main__":
    sys.exit(main())
