#!/usr/bin/env python3
"""Injects faults into local runs of the harness and counts what is left after each: "N faults injected, M leaked".

Signals at moments that are spread evenly over a run, a second Ctrl-C, killed members of a pod, agents that will not die, start or stay in
their process group, full, read-only and stalled disks, too few descriptors, two runs at once, busy cores. Ends with 1 when anything has leaked, a
run has panicked or has not ended in time, or its exit code is none that the command documents.

Each fault has a mount namespace, temporary folder and `/dev/shm` of its own, and whatever its run leaves without a parent becomes a child of the process
that counts: so nothing else on the machine counts, and nothing of the run can hide. Needs Linux, root, the release binary (`cargo build --release`) and
the executables beside it; a disk is made to stall where there are loop devices, `mkfs.ext4` and `fsfreeze`. `--plant` leaves something on purpose and must end with 1.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import ctypes
import dataclasses
import json
import os
import pathlib
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from built import CONFORMANCE, ROOT

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS = 0x20000
# What a run may take to end after its fault, and its processes after it.
ENDS_WITHIN_SECONDS = 60
GONE_WITHIN_SECONDS = 10
# A whole injection: a run and its end, another run, `clean`.
INJECTED_WITHIN_SECONDS = 300
# How many leavings of one run are told.
MOST_TOLD = 5
# `conformance` documents these; a run that a signal ends has none.
EXIT_CODES = {0, 1, 2, 3, 4, 130}
# An interrupt makes no scenario fail: a run has ended before it, or was interrupted.
INTERRUPTED = {0, 130}
SCENARIOS = ["A01", "A02-sqli"]
# Has requests under way for longer than the others, and waits for the agent's log.
LONG_SCENARIO = "C04"
# Longer than the proxy waits for an agent, and than a scenario for its log.
STALLED_SECONDS = 7

# Agents that misbehave as processes; `{agent}` becomes the reference agent's process.
AGENTS = {
    "agent ignores SIGTERM": "trap '' TERM\n({agent}) &\nwhile :; do sleep 1; done\n",
    "agent leaves a grandchild in a session of its own": "setsid sh -c 'trap \"\" TERM HUP INT; sleep 600 & sleep 600' &\n{agent}\n",
    "agent becomes a process group of its own": "{group}\n",
    "agent starts a hundred processes": "i=0; while [ $i -lt 100 ]; do sleep 600 & i=$((i+1)); done\n{agent}\n",
    "agent fills its log": "yes 'a long line of an agent that has much to say about nothing' | head -n 70000\n{agent}\n",
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


@dataclasses.dataclass
class Seen:
    """What became of a run."""

    fault: Fault
    code: int | None
    left: list[str]
    wrong: list[str]


def kinds(options: argparse.Namespace) -> list[str]:
    """Every kind of fault, each as often as it is to be drawn."""
    signals = [f"signal {name}" for name in ("SIGINT", "SIGTERM", "SIGKILL", "SIGHUP", "SIGABRT", "SIGQUIT")]
    others = [
        "two interrupts", "interrupt, then SIGKILL", "SIGKILL, then another run",
        "a process of the pod is killed", "a process of the pod is stopped, then SIGKILL", "two runs at once, one killed",
        "disk of reports full", "disk of reports read-only", "disk of temporary files full", "few descriptors", "files of 4 KiB at most",
        "nobody reads the output", "envoy that ends at once", "agent that ends at once", "busy cores, SIGINT", *AGENTS,
    ]
    if can_stall():
        others.append("disk of temporary files stalls")
    # Signals have the most moments at which they can strike.
    all_kinds = signals * 3 + others
    return [kind for kind in all_kinds if not options.only or any(part in kind for part in options.only)]


def can_stall() -> bool:
    """Tells whether a disk can be made here that stands still."""
    return pathlib.Path("/dev/loop-control").exists() and all(shutil.which(program) for program in ("fsfreeze", "mkfs.ext4"))


def children() -> dict[int, str]:
    """Every living descendant of this process, with its command line."""
    parents: dict[int, tuple[int, str]] = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        state, parent = stat.rsplit(")", 1)[1].split()[:2]
        if state != "Z":
            parents[int(entry.name)] = (int(parent), line.strip() or stat.split("(", 1)[1].rsplit(")", 1)[0])
    found: dict[int, str] = {}
    wanted = {os.getpid()}
    while wanted:
        wanted = {pid for pid, (parent, _) in parents.items() if parent in wanted and pid not in found}
        found |= {pid: parents[pid][1] for pid in wanted}
    return found


def reap() -> None:
    """Collects what has died in this process's care."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


class Injection:
    """One run and its fault, in a process and a mount namespace of its own."""

    def __init__(self, options: argparse.Namespace, fault: Fault, folder: pathlib.Path) -> None:
        self.options, self.fault, self.folder = options, fault, folder
        self.temporary, self.output = folder / "tmp", folder / "out"
        self.wrong: list[str] = []
        for path in (self.temporary, self.output):
            path.mkdir()
        self.environment = dict(os.environ, TMPDIR=str(self.temporary), XDG_STATE_HOME=str(folder / "state"))
        self.mounts_before = self.mounts()

    def mounts(self) -> set[str]:
        lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
        return {line.split(" ")[4] + " " + line.split(" - ")[1] for line in lines}

    def mount(self, path: pathlib.Path, settings: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", settings, "tmpfs", str(path)], check=True)
        self.mounts_before = self.mounts()

    def start(self, *extra: str, limits: dict[int, int] | None = None, stdout: int | None = None) -> subprocess.Popen[bytes]:
        def prepare() -> None:
            for limit, value in (limits or {}).items():
                resource.setrlimit(limit, (value, value))

        command = [str(self.options.binary), "run", *SCENARIOS, "--output", str(self.output), *extra]
        if self.options.plant == "process":
            command = ["sh", "-c", 'setsid sleep 300 & exec "$@"', "sh", *command]
        errors = open(self.folder / f"stderr-{time.monotonic_ns()}", "wb")
        # The output goes to a file that is not on the disk whose faults are looked for.
        sink = stdout if stdout is not None else errors
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=errors, env=self.environment, cwd=ROOT, preexec_fn=prepare)

    def end(self, process: subprocess.Popen[bytes], expected: set[int]) -> int | None:
        """Waits for the end of a run, within a bound."""
        try:
            code = process.wait(timeout=ENDS_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self.wrong.append(f"the run has not ended within {ENDS_WITHIN_SECONDS} s")
            process.kill()
            process.wait()
            return None
        if code not in expected:
            self.wrong.append(f"the run ended with {code}")
        return code

    def after(self, process: subprocess.Popen[bytes]) -> None:
        """Waits for the fault's moment; a run that ends before it has simply ended."""
        try:
            process.wait(timeout=self.fault.share * self.options.span)
        except subprocess.TimeoutExpired:
            pass

    def strike(self) -> int | None:
        """Starts a run and does to it what the fault says."""
        kind = self.fault.kind
        if kind.startswith("signal "):
            number = signal.Signals[kind.split()[1]]
            process = self.start()
            self.after(process)
            process.send_signal(number)
            # Before the handlers stand, and where there are none, the signal itself ends the run.
            return self.end(process, INTERRUPTED | {-number})
        if kind in ("two interrupts", "interrupt, then SIGKILL"):
            process = self.start()
            self.after(process)
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=self.fault.share * 0.1)
            except subprocess.TimeoutExpired:
                pass
            second = signal.SIGINT if kind == "two interrupts" else signal.SIGKILL
            process.send_signal(second)
            return self.end(process, INTERRUPTED | {-signal.SIGINT, -second})
        if kind == "SIGKILL, then another run":
            process = self.start()
            self.after(process)
            process.kill()
            process.wait()
            return self.end(self.start(), {0})
        if kind == "two runs at once, one killed":
            first, second = self.start(), self.start()
            self.after(first)
            first.kill()
            first.wait()
            return self.end(second, {0})
        if kind.startswith("a process of the pod is"):
            process = self.start()
            self.after(process)
            pids = [pid for pid in children() if pid != process.pid]
            if pids:
                victim = pids[self.fault.number % len(pids)]
                try:
                    os.kill(victim, signal.SIGSTOP if "stopped" in kind else signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if "stopped" in kind:
                time.sleep(0.05)
                process.kill()
            return self.end(process, EXIT_CODES | {-signal.SIGKILL})
        if kind == "busy cores, SIGINT":
            loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(2)]
            try:
                process = self.start()
                self.after(process)
                process.send_signal(signal.SIGINT)
                return self.end(process, INTERRUPTED | {-signal.SIGINT})
            finally:
                for loop in loops:
                    loop.kill()
                    loop.wait()
        return self.hinder(kind)

    def hinder(self, kind: str) -> int | None:
        """Starts a run in circumstances in which it cannot go well, or must go well in spite of them."""
        refused = {3}
        if kind == "disk of reports full":
            self.mount(self.output, "size=1m")
            # From nothing left to nearly enough.
            (self.output / "ballast").write_bytes(b"x" * (1024 * 1024 - 4096 * (self.fault.number % 8)))
            return self.end(self.start(), {0} | refused)
        if kind == "disk of reports read-only":
            self.mount(self.output, "size=1m,ro")
            return self.end(self.start(), refused)
        if kind == "disk of temporary files full":
            self.mount(self.temporary, "size=1m")
            (self.temporary / "ballast").write_bytes(b"x" * (1024 * 1024 - 4096 * (self.fault.number % 32)))
            return self.end(self.start(), {0} | refused)
        if kind == "disk of temporary files stalls":
            return self.stall()
        if kind == "few descriptors":
            return self.end(self.start(limits={resource.RLIMIT_NOFILE: 24 + self.fault.number % 41}), refused)
        if kind == "files of 4 KiB at most":
            return self.end(self.start(limits={resource.RLIMIT_FSIZE: 4096}), {0, -signal.SIGXFSZ} | refused)
        if kind == "nobody reads the output":
            read, write = os.pipe()
            os.close(read)
            process = self.start(stdout=write)
            os.close(write)
            return self.end(process, {0, 3})
        if kind == "envoy that ends at once":
            return self.end(self.start("--envoy", self.script(b"#!/bin/sh\nexit 7\n")), refused)
        if kind == "agent that ends at once":
            return self.end(self.start("--agent-binary", self.script(b"#!/bin/sh\nexit 7\n")), refused)
        agent = self.script(carrying(AGENTS[kind], self.options.agent.read_bytes()))
        process = self.start("--agent-binary", agent)
        # Every other one is interrupted as well.
        if self.fault.number % 2:
            self.after(process)
            process.send_signal(signal.SIGINT)
        return self.end(process, {0, 1, 3, 130, -signal.SIGINT})

    def stall(self) -> int | None:
        """Starts a run whose disk takes no write for a while. It goes on in memory, and what is written later is no agent's fault."""
        disk = self.folder / "disk"
        with disk.open("wb") as file:
            file.truncate(64 * 1024 * 1024)
        subprocess.run(["mkfs.ext4", "-q", str(disk)], check=True)
        subprocess.run(["mount", "-o", "loop", str(disk), str(self.temporary)], check=True)
        (self.temporary / "lost+found").rmdir()
        self.mounts_before = self.mounts()
        process = self.start(LONG_SCENARIO)
        self.after(process)
        subprocess.run(["fsfreeze", "--freeze", str(self.temporary)], check=True)
        try:
            time.sleep(STALLED_SECONDS)
        finally:
            subprocess.run(["fsfreeze", "--unfreeze", str(self.temporary)], check=True)
        return self.end(process, {0})

    def script(self, content: bytes) -> str:
        path = self.folder / "program"
        path.write_bytes(content)
        path.chmod(0o755)
        return str(path)

    def left(self) -> list[str]:
        """What is there that should not be: processes, mounts, shared memory."""
        reap()
        found = [f"process {pid}: {line[:90]}" for pid, line in children().items()]
        found += [f"mount {mount}" for mount in sorted(self.mounts() - self.mounts_before)]
        found += [f"shared memory {path.name}" for path in pathlib.Path("/dev/shm").iterdir()]
        return found[:MOST_TOLD]

    def folders(self) -> list[str]:
        """The short-lived files that are still there. The folders that all runs share stay, and are empty."""
        shared = {f"conformance-{os.getuid()}", "made-clusters"}
        return [
            f"file {path.relative_to(self.temporary)}"
            for path in self.temporary.rglob("*")
            if not (path.is_dir() and path.name in shared) and path.name != "ballast"
        ]

    def carry_out(self) -> Seen:
        code = self.strike()
        if self.options.plant == "folder":
            (self.temporary / f"conformance-{os.getuid()}/planted").mkdir(parents=True)
        if self.options.plant == "mount":
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(self.temporary)], check=True)
        if "stopped" in self.fault.kind:
            # A process that was stopped before it could tie itself to its parent is for the next start to find.
            self.clean()
        deadline = time.monotonic() + GONE_WITHIN_SECONDS
        while (left := self.left()) and time.monotonic() < deadline:
            time.sleep(0.01)
        # A run that came to an end of its own has removed its files. What a killed one has left, the next start must find and remove.
        came_to_its_end = code is not None and code >= 0 and "at once, one" not in self.fault.kind
        if not (came_to_its_end and code != 130):
            self.clean()
        elif found := self.folders():
            left += [f"{what} (before `clean`)" for what in found]
        # A second interrupt ends a run at once, without time for its files.
        left += self.folders()
        for path in self.folder.glob("stderr-*"):
            text = path.read_text(errors="replace")
            if "panicked at" in text:
                self.wrong.append("panic: " + next(line for line in text.splitlines() if "panicked at" in line))
        for pid in children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return Seen(self.fault, code, left, self.wrong)

    def clean(self) -> None:
        ran = subprocess.run([str(self.options.binary), "clean"], capture_output=True, text=True, env=self.environment, cwd=ROOT, timeout=ENDS_WITHIN_SECONDS)
        if ran.returncode != 0:
            self.wrong.append(f"`clean` ended with {ran.returncode}: {ran.stderr.strip()}")


def inject(options: argparse.Namespace, fault: Fault) -> Seen:
    """Carries one fault out in a fork of this process, and hears from it what was seen."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(read)
                LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
                if LIBC.unshare(CLONE_NEWNS) != 0:
                    raise OSError(ctypes.get_errno(), "no mount namespace: are you root?")
                subprocess.run(["mount", "--make-rprivate", "/"], check=True)
                subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/dev/shm"], check=True)
                seen = Injection(options, fault, pathlib.Path(folder)).carry_out()
                answer = {"code": seen.code, "left": [what[:1000] for what in seen.left[:10]], "wrong": [what[:1000] for what in seen.wrong[:10]]}
            except BaseException as error:  # noqa: BLE001 - whatever it is, the parent has to hear of it.
                answer = {"code": None, "left": [], "wrong": [f"the injection failed: {error!r}"[:1000]]}
            os.write(write, json.dumps(answer).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            # A fork of a process with threads may stand still for ever.
            if not select.select([pipe], [], [], INJECTED_WITHIN_SECONDS)[0]:
                os.kill(pid, signal.SIGKILL)
            answer = json.loads(pipe.read() or b'{"code": null, "left": [], "wrong": ["the injection died"]}')
        os.waitpid(pid, 0)
        return Seen(fault, answer["code"], answer["left"], answer["wrong"])


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
    seed = options.seed if options.seed is not None else random.randrange(1_000_000)
    options.span = calm_span(options)
    print(f"seed {seed}; a calm run takes {options.span:.2f} s", flush=True)
    faults = spread(kinds(options), options.count, random.Random(seed))

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


if __name__ == "__main__":
    sys.exit(main())
