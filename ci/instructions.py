#!/usr/bin/env python3
"""Compares the instructions that a Check costs the reference stub with those that `agent-stub/benches/instructions.json` holds, class by class.

They are counted under callgrind, so that nothing else on the machine matters. Ends with 1 where a class costs over 1 % more than is held, with 2
where nothing can be counted. `--update` writes down what is counted; names of classes leave out the others. Needs valgrind.
"""

import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import NoReturn

from built import ROOT

HELD = ROOT / "agent-stub/benches/instructions.json"
BUILD = ["cargo", "bench", "--package", "agent-stub", "--bench", "instructions", "--no-run", "--message-format", "json"]
LIMIT = 0.01
# The difference of two runs is free of what a start costs, and of what only the first Checks cost.
# The headers of a Check are hashed with other keys each time, so what one costs is a mean; where it costs much, that matters less.
FEW, MORE, HEAVY = 10, 200, 50_000_000
# Which of its copying routines the C library takes depends on the processor; these are there on each.
TUNABLES = "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-AVX512F,-AVX512VL,-AVX512BW,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM"
COUNTED = re.compile(r"^==\d+== Collected : (\d+)", re.MULTILINE)


def give_up(reason: str) -> NoReturn:
    """Ends where nothing can be counted: that is no regression."""
    print(reason, file=sys.stderr)
    raise SystemExit(2)


def output_of(command: list[str]) -> str:
    """Returns what a command prints, whose own complaints go where this one's do."""
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode != 0:
        give_up(f"{command[0]} ended with {ended.returncode}")
    return ended.stdout


def executable(messages: str) -> str:
    """Returns the path of the benchmark's executable, by the messages of cargo."""
    artifacts = (json.loads(line) for line in messages.splitlines() if line.startswith("{"))
    found = [message["executable"] for message in artifacts if message.get("executable") and message["target"]["name"] == "instructions"]
    if len(found) != 1:
        give_up(f"cargo names {len(found)} executables of the benchmark `instructions`")
    return found[0]


def counted(output: str) -> int:
    """Returns the instructions that callgrind says it has counted."""
    found = COUNTED.search(output)
    if not found:
        give_up(f"callgrind counted nothing:\n{output.strip()}")
    return int(found[1])


def per_check(count: Callable[[int], int]) -> int:
    """Returns what one Check costs, by what numbers of them cost."""
    few = count(FEW)
    more = MORE if few < HEAVY else FEW
    return round((count(FEW + more) - few) / more)


def change(held: int | None, now: int) -> str:
    """Returns by how much a class costs more, as the table has it."""
    return "new" if held is None else f"{now / held - 1:+.2%}"


def dearer(held: dict[str, int], now: dict[str, int]) -> list[str]:
    """Returns the classes that cost more than the limit allows, and those of which nothing is held."""
    return [name for name, count in now.items() if name not in held or count > held[name] * (1 + LIMIT)]


def under_callgrind(program: str, name: str, checks: int) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, name, str(checks)]
    # Nothing of the environment, whose length moves the stack.
    ended = subprocess.run(command, env={"GLIBC_TUNABLES": TUNABLES, "PATH": "/usr/local/bin:/usr/bin:/bin"}, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        give_up(f"{name} ended with {ended.returncode}:\n{ended.stderr.strip()}")
    return counted(ended.stderr)


def main(arguments: list[str]) -> int:
    if not shutil.which("valgrind"):
        print("valgrind is missing: `apt-get install valgrind`", file=sys.stderr)
        return 2
    kept = json.loads(HELD.read_text())
    if kept["machine"] != platform.machine():
        print(f"what is held was counted on {kept['machine']}, this is {platform.machine()}", file=sys.stderr)
        return 2
    program = executable(output_of(BUILD))
    classes = output_of([program, "--list"]).split()
    wanted = [argument for argument in arguments if argument != "--update"]
    if unknown := set(wanted) - set(classes):
        print(f"no such class: {', '.join(sorted(unknown))}; there are {', '.join(classes)}", file=sys.stderr)
        return 2
    held, now = kept["instructions"], {}
    print(f"{'class':<24}{'held':>12}{'now':>12}{'change':>10}")
    for name in wanted or classes:
        now[name] = per_check(lambda checks, name=name: under_callgrind(program, name, checks))
        print(f"{name:<24}{held.get(name, '-'):>12}{now[name]:>12}{change(held.get(name), now[name]):>10}", flush=True)
    if "--update" in arguments:
        # A class that is no longer there is no longer held.
        kept["instructions"] = {name: now.get(name, held.get(name)) for name in classes if name in now or name in held}
        HELD.write_text(json.dumps(kept, indent=2) + "\n")
        return 0
    if found := dearer(held, now):
        print(f"over {LIMIT:.0%} more than is held, or not held yet: {', '.join(found)}", file=sys.stderr)
        print("make them cheaper again, or hold the new numbers with `ci/instructions.py --update` and say in the commit what they buy", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
