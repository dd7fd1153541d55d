#!/usr/bin/env python3
"""Prints what the suite costs: time of the whole, time to the first verdict, memory of harness and stub, time of `list`.

Builds with the release profile first, since that is what is published; `cargo conformance` itself runs the dev profile. Figures are of this machine
and this moment; nothing here passes or fails.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from built import CONFORMANCE_RELEASE, ROOT


def peak_in(status: str) -> int:
    """Returns the peak resident memory, in KiB, that a process's `status` file has; 0 where it has none, as for a zombie."""
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def peak_kib(status: pathlib.Path) -> int:
    """Returns a process's peak resident memory, 0 when it has ended."""
    try:
        return peak_in(status.read_text())
    except OSError:
        return 0


def stub_peaks() -> int:
    """Returns the highest peak among the stubs that run now."""
    peak = 0
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "comm").read_text().strip() == "agent-stub":
                peak = max(peak, peak_kib(folder / "status"))
        except OSError:
            continue
    return peak


def run(arguments: list[str], output: str) -> dict:
    """Runs the suite and returns its report with what was measured from outside."""
    started = time.monotonic()
    process = subprocess.Popen(
        [CONFORMANCE_RELEASE, "run", *arguments, "--output", output], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    harness = stub = 0
    while process.poll() is None:
        harness = max(harness, peak_kib(pathlib.Path(f"/proc/{process.pid}/status")))
        stub = max(stub, stub_peaks())
        time.sleep(0.02)
    elapsed = time.monotonic() - started
    newest = max(pathlib.Path(output).iterdir(), key=lambda path: path.name)
    report = json.loads((newest / "report.json").read_text())
    return {"exit": process.returncode, "seconds": elapsed, "harness": harness, "stub": stub, "report": report}


def row(what: str, value: str, bound: str) -> None:
    print(f"{what:<52} {value:>12}   {bound}")


def main() -> int:
    subprocess.run(["cargo", "build", "--release", "--workspace"], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as output:
        one = min((run(["A01"], output) for _ in range(3)), key=lambda measured: measured["seconds"])
        whole = run([], output)
    first = one["report"]["scenarios"][0]["elapsed-milliseconds"] / 1000
    lists = []
    for _ in range(10):
        started = time.monotonic()
        subprocess.run([CONFORMANCE_RELEASE, "list"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        lists.append(time.monotonic() - started)
    totals = whole["report"]["totals"]
    print(f"{totals['results']} {totals['requests']} requests, exit {whole['exit']}\n")
    row("the whole suite", f"{whole['seconds']:.1f} s", "aim: 20 s")
    row("a stack from nothing to its verdict (A01)", f"{first:.2f} s", "aim: 1.0 s")
    row("the command around it", f"{one['seconds']:.2f} s", "")
    row("harness, peak resident memory", f"{whole['harness'] / 1024:.0f} MiB", "aim: 256 MiB")
    row("stub, peak resident memory", f"{whole['stub'] / 1024:.0f} MiB", "aim: 32 MiB")
    row("conformance list, median of 10", f"{statistics.median(lists) * 1000:.0f} ms", "aim: 50 ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
