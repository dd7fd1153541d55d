"""Carries out one fault: a run in a mount namespace of its own, what is done to it, and what is left of it."""

import argparse
import contextlib
import ctypes
import dataclasses
import json
import os
import pathlib
import resource
import select
import signal
import subprocess
import tempfile
import time

from built import ROOT
from fault_kinds import AGENTS, Fault, carrying
from leftovers import added, children, files_below, left_after, mounts_in, reap

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS = 0x20000
# What a run may take to end after its fault, and its processes after it.
ENDS_WITHIN_SECONDS = 60
GONE_WITHIN_SECONDS = 10
# A whole injection: a run and its end, another run, `clean`.
INJECTED_WITHIN_SECONDS = 300
# How many leavings of one run are named.
MOST_NAMED = 5
INTERRUPTED_CODE = 130
# `conformance` documents these; a run that a signal ends has none.
EXIT_CODES = {0, 1, 2, 3, 4, INTERRUPTED_CODE}
# An interrupt makes no scenario fail: a run has ended before it, or was interrupted.
INTERRUPTED = {0, INTERRUPTED_CODE}
SCENARIOS = ["A01", "A02-sqli"]
# Has requests under way for longer than the others, and waits for the agent's log.
LONG_SCENARIO = "C04"
# Longer than the proxy waits for an agent, and than a scenario for its log.
STALLED_SECONDS = 7


@dataclasses.dataclass
class Seen:
    """What became of a run."""

    fault: Fault
    code: int | None
    left: list[str]
    wrong: list[str]


def panics_in(text: str) -> list[str]:
    """Returns the first panic that a run's standard error reports, if there is one."""
    return next(([f"panic: {line}"] for line in text.splitlines() if "panicked at" in line), [])


def cleans_up_itself(fault: Fault, code: int | None) -> bool:
    """Whether the run must have removed its own files. It must where it came to an end of its own; what a killed or an interrupted one has left, and what
    one of two runs has, the next start must find and remove."""
    came_to_its_end = code is not None and code >= 0 and "at once, one" not in fault.kind
    return came_to_its_end and code != INTERRUPTED_CODE


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
        return mounts_in(pathlib.Path("/proc/self/mountinfo").read_text())

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
        if kind == "output that is closed":
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
        found += [f"mount {mount}" for mount in added(self.mounts_before, self.mounts())]
        found += [f"shared memory {path.name}" for path in pathlib.Path("/dev/shm").iterdir()]
        return found[:MOST_NAMED]

    def folders(self) -> list[str]:
        """The short-lived files that are still there. The folders that all runs share stay, and are empty."""
        return files_below(self.temporary, {f"conformance-{os.getuid()}", "made-clusters"}, {"ballast"})

    def carry_out(self) -> Seen:
        code = self.strike()
        if self.options.plant == "folder":
            (self.temporary / f"conformance-{os.getuid()}/planted").mkdir(parents=True)
        if self.options.plant == "mount":
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(self.temporary)], check=True)
        if "stopped" in self.fault.kind:
            # A process that was stopped before it could tie itself to its parent is for the next start to find.
            self.clean()
        left = left_after(self.left, GONE_WITHIN_SECONDS, 0.01)
        if not cleans_up_itself(self.fault, code):
            self.clean()
        elif found := self.folders():
            left += [f"{what} (before `clean`)" for what in found]
        # A second interrupt ends a run at once, without time for its files.
        left += self.folders()
        for path in self.folder.glob("stderr-*"):
            self.wrong += panics_in(path.read_text(errors="replace"))
        for pid in children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return Seen(self.fault, code, left, self.wrong)

    def clean(self) -> None:
        ran = subprocess.run([str(self.options.binary), "clean"], capture_output=True, text=True, env=self.environment, cwd=ROOT, timeout=ENDS_WITHIN_SECONDS)
        if ran.returncode != 0:
            self.wrong.append(f"`clean` ended with {ran.returncode}: {ran.stderr.strip()}")


def inject(options: argparse.Namespace, fault: Fault) -> Seen:
    """Carries one fault out in a fork of this process, and returns what it reports."""
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
            except BaseException as error:  # noqa: BLE001 - whatever it is, the parent has to report it.
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
