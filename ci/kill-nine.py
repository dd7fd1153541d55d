#!/usr/bin/env python3
"""Kills the harness with SIGKILL at random moments of a run in a cluster, and counts what is left of it once the next run, or `conformance
clean`, has ended: they take turns.

Everything that belongs to these runs is distinguished by folders of their own (TMPDIR, XDG_STATE_HOME) and by the names of the clusters that
they say they make, so that other runs on the machine do not count. Ends with 1 when anything is left, when something that is not ours
has changed, or when fewer than half of the runs were there to be killed. A cluster of ours that is not there any more is not looked for: that is what is wanted.

Needs the dev build (`cargo build`), Docker and kind; with `--environment existing` a context, and kubectl. Arguments after `--` are passed to
`conformance run`.
"""

import argparse
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
from typing import Any

from arguments import split_arguments
from built import CONFORMANCE
from leftovers import added, changed, files_below, left_after, living_processes, mentions

BYSTANDER = "kill-nine-bystander"
GONE_WITHIN_SECONDS = 120
WHOLE_WITHIN_SECONDS = 900


def output(command: list[str], environment: dict[str, str] | None = None) -> list[str]:
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    if ran.returncode != 0:
        sys.exit(f"{' '.join(command)} failed: {ran.stderr.strip()}")
    return ran.stdout.split("\n")


def clusters() -> set[str]:
    return {line for line in output(["kind", "get", "clusters"]) if line}


def containers() -> dict[str, str]:
    lines = output(["docker", "ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.ID}}"])
    return dict(line.split(" ", 1) for line in lines if line)


def namespaces(context: str) -> set[str]:
    lines = output(["kubectl", "--context", context, "get", "namespaces", "--selector", "conformance/run", "--output", "name"])
    return {line for line in lines if line}


def others(context: str) -> dict[str, str]:
    """Every namespace that belongs to no run, with its version: it changes when the namespace does."""
    text = output(["kubectl", "--context", context, "get", "namespaces", "--output", "json"])
    return versions_of_others(json.loads("\n".join(text))["items"])


def versions_of_others(items: list[dict[str, Any]]) -> dict[str, str]:
    """Returns the namespaces without a run's label, with what changes when they do."""
    return {
        item["metadata"]["name"]: f"{item['metadata']['uid']} {item['metadata']['resourceVersion']}"
        for item in items
        if "conformance/run" not in item["metadata"].get("labels", {})
    }


def clusters_made_by(line: str) -> list[str]:
    """Returns the clusters that a line of a run's output says it makes."""
    return re.findall(r"makes the cluster (conformance-\w+)", line)


class Bench:
    """One folder for all rounds, and what is known of their runs."""

    def __init__(self, options: argparse.Namespace, folder: pathlib.Path) -> None:
        self.options = options
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.environment = dict(os.environ, TMPDIR=str(self.temporary), XDG_STATE_HOME=str(folder / "state"))
        self.seen: set[str] = set()

    def command(self) -> list[str]:
        options = self.options
        command = [str(options.binary), "run", *options.filters, "--environment", options.environment, "--output", str(self.temporary.parent / "reports")]
        if options.context:
            command += ["--context", options.context]
        if options.node_image and options.environment == "kind":
            command += ["--node-image", options.node_image]
        return command + options.rest

    def start(self) -> tuple[subprocess.Popen[str], list[str], threading.Thread]:
        process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.environment)
        lines: list[str] = []

        def read() -> None:
            assert process.stdout
            for line in process.stdout:
                lines.append(line.rstrip())
                self.seen.update(clusters_made_by(line))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        return process, lines, reader

    def whole_run(self) -> int:
        """Runs to the end; what a killed run has left is removed by this one."""
        process, lines, reader = self.start()
        try:
            code = process.wait(timeout=WHOLE_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            lines.append(f"no end within {WHOLE_WITHIN_SECONDS} s")
            code = -1
        reader.join(timeout=10)
        if code != 0:
            print("    | " + "\n    | ".join(lines[-20:]), flush=True)
        return code

    def clean(self) -> int:
        command = [str(self.options.binary), "clean"]
        if self.options.context:
            command += ["--context", self.options.context]
        ran = subprocess.run(command, capture_output=True, text=True, env=self.environment, timeout=300)
        if ran.returncode != 0:
            print(f"  `clean` ended with {ran.returncode}: {ran.stderr.strip()}", flush=True)
        return ran.returncode

    def left(self) -> list[str]:
        """Everything that is there of our runs, by name."""
        found = [f"cluster {name}" for name in clusters() & self.seen]
        found += [f"container {name}" for name in containers() if mentions(name, self.seen)]
        state = self.temporary.parent / "state"
        found += [f"file {path.relative_to(state)}" for path in state.rglob("*") if path.is_file()]
        # The folder of records stays, and is empty.
        found += files_below(self.temporary, {f"conformance-{os.getuid()}", "made-clusters"})
        found += [
            f"process {pid}: {line[:100]}"
            for pid, (_, line) in living_processes().items()
            if mentions(line, self.seen) and pid != os.getpid()
        ]
        if self.options.context:
            found += added(self.options.before, namespaces(self.options.context))
        return found

    def left_for_good(self) -> list[str]:
        """What is left once the cluster has had its time to remove what it was asked to."""
        return left_after(self.left, GONE_WITHIN_SECONDS, 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, default=CONFORMANCE)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--span", type=float, default=75, help="seconds within which a run is killed")
    parser.add_argument("--seed", type=int, default=None, help="the same number gives the same moments")
    parser.add_argument("--environment", choices=["kind", "existing"], default="kind")
    parser.add_argument("--context", help="with `existing`")
    parser.add_argument("--node-image")
    parser.add_argument("--bystander", action="store_true", help="make a cluster beforehand that must stay as it is")
    parser.add_argument("--filters", nargs="*", default=["A02-sqli", "A02-xss"])
    own, passed_on = split_arguments(sys.argv[1:])
    options = parser.parse_args(own)
    options.rest = passed_on
    options.before = namespaces(options.context) if options.context else set()
    seed = options.seed if options.seed is not None else random.randrange(1_000_000)
    moments = random.Random(seed)
    print(f"seed {seed}", flush=True)

    with tempfile.TemporaryDirectory(prefix="kill-nine-") as folder:
        if options.bystander:
            image = ["--image", options.node_image] if options.node_image else []
            output(["kind", "create", "cluster", "--name", BYSTANDER, "--kubeconfig", f"{folder}/bystander", *image])
        try:
            return rounds(options, Bench(options, pathlib.Path(folder)), moments)
        finally:
            if options.bystander:
                output(["kind", "delete", "cluster", "--name", BYSTANDER, "--kubeconfig", f"{folder}/bystander"])


def too_few_killed(kills: int, rounds: int) -> bool:
    """Whether fewer than half of the runs were there to be killed: the moments were spread over a longer time than a run takes."""
    return kills * 2 < rounds


def rounds(options: argparse.Namespace, bench: Bench, moments: random.Random) -> int:
    bystanders = {name: number for name, number in containers().items() if name.startswith(BYSTANDER)}
    untouched = others(options.context) if options.context else {}
    bad = kills = 0
    for number in range(1, options.rounds + 1):
        moment = moments.uniform(0, options.span)
        process, lines, reader = bench.start()
        code = None
        try:
            code = process.wait(timeout=moment)
            fate = f"had ended with {code}"
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            fate = "killed"
        # Its output names its cluster.
        reader.join(timeout=10)
        last = next((line for line in reversed(lines) if line.strip()), "no output yet")
        there = len(bench.left())
        way, removal = ("clean", bench.clean()) if number % 2 else ("run", bench.whole_run())
        found = bench.left_for_good()
        bad += bool(found) or removal != 0 or code not in (None, 0)
        print(f"round {number:>2}  {moment:5.1f} s  {fate:<18} {there:>3} left, after a {way:<5} {len(found)}  | {last[:70]}", flush=True)
        for what in found:
            print(f"  LEFT {what}", flush=True)
    if too_few_killed(kills, options.rounds):
        print(f"only {kills} runs were there to be killed: lower --span")
        bad += 1
    if bystanders != {name: number for name, number in containers().items() if name.startswith(BYSTANDER)}:
        print("the bystander has changed")
        bad += 1
    if options.context:
        now = others(options.context)
        if touched := changed(untouched, now) + added(untouched, now):
            print(f"namespaces that are not ours have changed: {touched}")
            bad += 1
    print(f"{options.rounds} rounds, {kills} runs killed, {bad} bad")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
