"""Accounts for what is left of a run: processes, mounts, files, namespaces, and whether what belongs to others has changed."""

import os
import pathlib
import time
from collections.abc import Callable, Collection, Mapping


def parse_stat(stat: str) -> tuple[str, str, int]:
    """Returns the name, the state and the parent of a process from its `/proc/PID/stat`; the name may hold spaces and parentheses."""
    name = stat.split("(", 1)[1].rsplit(")", 1)[0]
    state, parent = stat.rsplit(")", 1)[1].split()[:2]
    return name, state, int(parent)


def living_processes(proc: pathlib.Path = pathlib.Path("/proc")) -> dict[int, tuple[int, str]]:
    """Returns every process that is not a zombie, with its parent and its command line, or its name where it has none."""
    found: dict[int, tuple[int, str]] = {}
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            name, state, parent = parse_stat((entry / "stat").read_text())
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if state != "Z":
            found[int(entry.name)] = (parent, line.strip() or name)
    return found


def descendants(processes: Mapping[int, tuple[int, str]], ancestor: int) -> dict[int, str]:
    """Returns the descendants of a process, with their command lines."""
    found: dict[int, str] = {}
    generation = {ancestor}
    while generation:
        generation = {pid for pid, (parent, _) in processes.items() if parent in generation and pid not in found}
        found |= {pid: processes[pid][1] for pid in generation}
    return found


def children() -> dict[int, str]:
    """Every living descendant of this process, with its command line."""
    return descendants(living_processes(), os.getpid())


def reap() -> None:
    """Collects what has died in this process's care."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def mounts_in(mountinfo: str) -> set[str]:
    """Returns the mounts of a `/proc/PID/mountinfo`, each by its place and what is mounted there."""
    return {line.split(" ")[4] + " " + line.split(" - ")[1] for line in mountinfo.splitlines()}


def files_below(folder: pathlib.Path, expected_folders: Collection[str], expected_files: Collection[str] = ()) -> list[str]:
    """Returns what lies in a folder besides the folders, and the files, that are expected there by name."""
    return sorted(
        f"file {path.relative_to(folder)}"
        for path in folder.rglob("*")
        if not (path.is_dir() and path.name in expected_folders) and path.name not in expected_files
    )


def mentions(text: str, names: Collection[str]) -> bool:
    """Whether a text has one of the names in it."""
    return any(name in text for name in names)


def added(before: Collection[str], after: Collection[str]) -> list[str]:
    """Returns what is there now and was not before."""
    return sorted(set(after) - set(before))


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Returns what was there before and is another one now, or gone."""
    return sorted(name for name, version in before.items() if after.get(name) != version)


def left_after(
    find: Callable[[], list[str]],
    within_seconds: float,
    pause_seconds: float,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> list[str]:
    """Returns what is still found once the time is over; nothing as soon as nothing is found."""
    deadline = clock() + within_seconds
    while (found := find()) and clock() < deadline:
        pause(pause_seconds)
    return found
