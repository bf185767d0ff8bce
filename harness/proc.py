"""What runs on this machine, read from /proc (see proc(5)); nothing here needs another package."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple


class ProcessEntry(NamedTuple):
    """One line of the process table: ids as in proc_pid_stat(5)."""

    pid: int
    ppid: int
    session: int


def table() -> Iterator[ProcessEntry]:
    """Every process that is alive; zombies, which only wait to be reaped, are left out."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # The command's name stands in brackets and may hold spaces and brackets itself.
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if len(fields) > 3 and fields[0] not in "ZX":
            yield ProcessEntry(int(folder.name), int(fields[1]), int(fields[3]))


def is_alive(pid: int) -> bool:
    """Whether `pid` names a process that is no zombie."""
    return any(entry.pid == pid for entry in table())


def command(pid: int) -> bytes:
    """The command line of `pid`, with zero bytes between its arguments; empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def children(pid: int) -> list[int]:
    """The direct children of `pid`, lowest id first."""
    return sorted(entry.pid for entry in table() if entry.ppid == pid)


def in_session(session: int) -> list[int]:
    """The processes of one session (setsid(2)), lowest id first."""
    return sorted(entry.pid for entry in table() if entry.session == session)


def family(pid: int) -> list[int]:
    """`pid`, all that descend from it, and its session; helpers may have left for sessions of their own."""
    entries = list(table())
    found = {entry.pid for entry in entries if pid in (entry.pid, entry.session)}
    while more := {entry.pid for entry in entries if entry.ppid in found} - found:
        found |= more
    return sorted(found)


def with_environment(name: str, value: str) -> list[int]:
    """The processes, this one excepted, that were started with `name=value` in their environment.

    Children inherit it through any number of forks and new sessions, which makes it a mark that
    finds all that one run started. Processes of other users cannot be read and are left out.
    """
    wanted = f"{name}={value}".encode()
    found = []
    for entry in table():
        try:
            environment = Path(f"/proc/{entry.pid}/environ").read_bytes()
        except OSError:
            continue
        if entry.pid != os.getpid() and wanted in environment.split(b"\0"):
            found.append(entry.pid)
    return sorted(found)


def send(pids: Iterable[int], sig: signal.Signals) -> None:
    """Send `sig` to each of `pids`; those that are gone already are passed over."""
    for pid in pids:
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            continue


def wait_gone(pids: Iterable[int], timeout: float) -> list[int]:
    """Wait up to `timeout` seconds for all of `pids` to end; returns those still alive."""
    waiting = set(pids)
    deadline = time.monotonic() + timeout
    while True:
        waiting &= {entry.pid for entry in table()}
        if not waiting or time.monotonic() >= deadline:
            return sorted(waiting)
        time.sleep(0.05)
