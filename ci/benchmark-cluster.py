#!/usr/bin/env python3
"""Prints what a run on a cluster costs: when each part of the set-up is reached, when the first scenario is judged, when all is done.

Arguments are passed to `conformance run`; without any, `--environment kind`. The first line of a judged scenario comes after its pod was removed: the
first judged request is earlier than that by the phases after `traffic`, which are taken off. Figures are of this machine and this moment;
nothing here passes or fails. Needs the release binary: `cargo build --release`.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time

from built import CONFORMANCE

# What a scenario's time is spent on once its requests are judged.
AFTERWARDS = ["evidence", "ending"]


def main() -> int:
    words = sys.argv[1:] or ["--environment", "kind"]
    with tempfile.TemporaryDirectory(prefix="benchmark-cluster-") as folder:
        began = time.monotonic()
        command = [str(CONFORMANCE), "run", *words, "--output", folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        reached: list[tuple[float, str]] = []
        # The name of a scenario to the moment at which its line came.
        judged: dict[str, float] = {}
        assert process.stdout
        for line in process.stdout:
            at, line = time.monotonic() - began, line.rstrip()
            name = next((word for word in line.split() if "::" in word), None)
            if not judged and name is None and line:
                reached.append((at, line))
            if name and name not in judged:
                judged[name] = at
        code, whole = process.wait(), time.monotonic() - began
        reports = list(pathlib.Path(folder).glob("*/report.json"))
        if not reports:
            print("\n".join(line for _, line in reached))
            print(f"the run ended with {code} and left no report")
            return 1
        report = json.loads(reports[0].read_text())
    phases = {scenario["name"]: scenario["phases"] for scenario in report["scenarios"]}
    # A scenario that was not run is judged without a request.
    requests = [
        at - sum(phases[name].get(phase, 0) for phase in AFTERWARDS) / 1000
        for name, at in judged.items()
        if phases.get(name)
    ]
    for at, line in reached:
        print(f"{at:8.1f} s  {line[:100]}")
    if requests:
        print(f"{min(requests):8.1f} s  the first judged request, at the latest")
    print(f"{whole:8.1f} s  the whole, exit code {code}")
    results = ", ".join(f"{count} {word}" for word, count in sorted(report["totals"]["results"].items()))
    print(f"{len(report['scenarios'])} scenarios ({results}), {report['totals']['requests']} requests judged")
    return 0


if __name__ == "__main__":
    sys.exit(main())
