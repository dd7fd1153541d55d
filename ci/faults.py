#!/usr/bin/env python3
"""Injects faults into local runs of the harness and counts what is left after each: "N faults injected, M leaked".

Signals at moments that are spread evenly over a run, a second Ctrl-C, killed members of a pod, agents that will not die, start or stay in
their process group, full, read-only and stalled disks, too few descriptors, two runs at once, busy cores. Ends with 1 when anything has leaked, a
run has panicked or has not ended in time, or its exit code is none that the command documents.

Each fault has a mount namespace, temporary folder and `/dev/shm` of its own, and whatever its run leaves without a parent becomes a child of the process
that counts: so nothing else on the machine counts, and nothing of the run can hide. Needs Linux, root, and the dev build (`cargo build`) with the
executables beside it; a disk is made to stall where there are loop devices, `mkfs.ext4` and `fsfreeze`. `--plant` leaves something on purpose and must end with 1.
"""

import argparse
import collections
import concurrent.futures
import pathlib
import random
import shutil
import sys
import threading
import time

from built import CONFORMANCE
from fault_kinds import Fault, can_stall, kinds, spread
from injection import Seen, inject


def calm_span(options: argparse.Namespace) -> float:
    """How long a run takes that nothing happens to, while as many others run."""
    calm = argparse.Namespace(**vars(options) | {"plant": None, "span": 60.0})
    faults = [Fault("SIGKILL, then another run", number, 0.0) for number in range(options.jobs * 2)]
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        seen = list(pool.map(lambda fault: inject(calm, fault), faults))
    for each in seen:
        if each.wrong or each.left:
            sys.exit(f"a calm run is not clean: {each.wrong + each.left}")
    return (time.monotonic() - started) / 2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, default=CONFORMANCE)
    parser.add_argument("--agent", type=pathlib.Path, help="the reference agent that misbehaving ones are made of; default: beside the binary")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=3, help="runs at the same time")
    parser.add_argument("--seed", type=int, default=None, help="the same number gives the same order")
    parser.add_argument("--only", nargs="*", help="parts of the kinds' names")
    parser.add_argument("--plant", choices=["process", "folder", "mount"], help="leave something on purpose: the count must notice")
    options = parser.parse_args()
    options.binary = options.binary.resolve()
    options.agent = options.agent or options.binary.parent / "agent-stub"
    if not shutil.which("setsid") or not options.binary.exists():
        sys.exit(f"setsid and {options.binary} are needed")
    names = kinds(options.only or [], can_stall())
    if not names:
        sys.exit(f"no kind of fault has any of {options.only} in its name")
    seed = options.seed if options.seed is not None else random.randrange(1_000_000)
    options.span = calm_span(options)
    print(f"seed {seed}; a calm run takes {options.span:.2f} s", flush=True)
    faults = spread(names, options.count, random.Random(seed))

    totals: collections.Counter[str] = collections.Counter()
    bad: dict[str, list[Seen]] = collections.defaultdict(list)
    codes: dict[str, collections.Counter[int | None]] = collections.defaultdict(collections.Counter)
    lock = threading.Lock()

    def one(fault: Fault) -> None:
        seen = inject(options, fault)
        with lock:
            totals[fault.kind] += 1
            codes[fault.kind][seen.code] += 1
            if seen.left or seen.wrong:
                bad[fault.kind].append(seen)
                where = f"{fault.kind} #{fault.number} at {fault.share:.2f}"
                for what in seen.left:
                    print(f"  LEFT after {where}: {what}", flush=True)
                for what in seen.wrong:
                    print(f"  WRONG after {where}: {what}", flush=True)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(one, faults))
    for kind in sorted(totals):
        ended = ", ".join(f"{count} x {code}" for code, count in sorted(codes[kind].items(), key=lambda item: str(item[0])))
        print(f"{totals[kind]:>5}  {kind:<52} ended with {ended}")
    leaked = sum(bool(seen.left) for each in bad.values() for seen in each)
    wrong = sum(bool(seen.wrong) for each in bad.values() for seen in each)
    if wrong:
        print(f"{wrong} runs ended otherwise than documented")
    print(f"{sum(totals.values())} faults injected, {leaked} leaked")
    return int(leaked + wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
