"""The faults that `faults.py` injects: their kinds, when each strikes, and agents that misbehave as processes."""

import collections
import dataclasses
import pathlib
import random
import shutil
from collections.abc import Sequence

# Agents that misbehave as processes; `{agent}` becomes the reference agent's process.
AGENTS = {
    "agent ignores SIGTERM": "trap '' TERM\n({agent}) &\nwhile :; do sleep 1; done\n",
    "agent leaves a grandchild in a session of its own": "setsid sh -c 'trap \"\" TERM HUP INT; sleep 600 & sleep 600' &\n{agent}\n",
    "agent becomes a process group of its own": "{group}\n",
    "agent starts a hundred processes": "i=0; while [ $i -lt 100 ]; do sleep 600 & i=$((i+1)); done\n{agent}\n",
    "agent fills its log": "yes 'a long line of an agent that has much to say' | head -n 70000\n{agent}\n",
}
# A container sees no program of the host but those of the system: the script carries the agent behind its own text. Asked for its version
# outside of any container, it has done its mischief and ends.
CARRIER = """case "$1" in --*) exit 1;; esac
file=$(mktemp -p /tmp 2>/dev/null || mktemp -p /sigsci/tmp)
tail -c +{offset} "$0" > "$file"; chmod 755 "$file"; exec 9< "$file"; rm "$file"
exec {how}/proc/self/fd/9 "$@\""""


def carrying(script: str, agent: bytes) -> bytes:
    """Puts the agent's bytes behind a script that starts it."""
    for how, place in (("", "{agent}"), ("setsid --wait ", "{group}")):
        script = script.replace(place, CARRIER.replace("{how}", how))
    # The offset's own digits count.
    text = "#!/bin/sh\n" + script + "exit\n"
    length = len(text.replace("{offset}", "00000"))
    return text.replace("{offset}", f"{length + 1:05}").encode() + agent


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault: its kind, and when it strikes as a share of a calm run's time."""

    kind: str
    number: int
    share: float


def kinds(wanted: Sequence[str], stalls: bool) -> list[str]:
    """Returns the kinds of faults with one of the wanted parts in their name, all when none is given, each as often as it is drawn."""
    signals = [f"signal {name}" for name in ("SIGINT", "SIGTERM", "SIGKILL", "SIGHUP", "SIGABRT", "SIGQUIT")]
    others = [
        "two interrupts", "interrupt, then SIGKILL", "SIGKILL, then another run",
        "a process of the pod is killed", "a process of the pod is stopped, then SIGKILL", "two runs at once, one killed",
        "disk of reports full", "disk of reports read-only", "disk of temporary files full", "few descriptors", "files of 4 KiB at most",
        "output that is closed", "envoy that ends at once", "agent that ends at once", "busy cores, SIGINT", *AGENTS,
    ]
    if stalls:
        others.append("disk of temporary files stalls")
    # Signals have the most moments at which they can strike.
    all_kinds = signals * 3 + others
    return [kind for kind in all_kinds if not wanted or any(part in kind for part in wanted)]


def can_stall() -> bool:
    """Whether a disk can be made here that takes no write for a while."""
    return pathlib.Path("/dev/loop-control").exists() and all(shutil.which(program) for program in ("fsfreeze", "mkfs.ext4"))


def spread(names: list[str], count: int, order: random.Random) -> list[Fault]:
    """Draws the kinds in turn, each kind's moments evenly over the run, and shuffles them so that kinds meet."""
    each: collections.Counter[str] = collections.Counter()
    drawn = [names[number % len(names)] for number in range(count)]
    total = collections.Counter(drawn)
    faults = []
    for name in drawn:
        faults.append(Fault(name, each[name], (each[name] + 0.5) / total[name]))
        each[name] += 1
    order.shuffle(faults)
    return faults
