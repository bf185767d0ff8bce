"""What a process and all that it started have used: processor time and memory, by proc(5)."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import psutil

from lab.traffic import Traffic

MOST_JOBS: Final = 500  # at once, in one worker whose pool grows
_GONE: Final = (psutil.NoSuchProcess, psutil.AccessDenied)


def cpu_seconds(pid: int, without: int | None = None) -> float | None:
    """User and system time of the process `pid` and its descendants, those that have ended included; None
    where there is no such process.

    Args:
        without: a descendant that does not count, nor what it started.
    """
    used = None
    for process in tree(pid, without):
        with suppress(*_GONE):
            used = (used or 0.0) + sum(process.cpu_times()[:4])  # its own, and of children that it has reaped
    return used


def peak_memory(pid: int, without: int | None = None) -> int | None:
    """Bytes: the sum of the resident peaks (VmHWM) of the process `pid` and its descendants, where pages
    that they share count in each. None where there is no such process, or no such figure."""
    peaks = [_peak(process.pid) for process in tree(pid, without)]
    known = [peak for peak in peaks if peak is not None]
    return sum(known) if known else None


def reset_peak(pid: int, without: int | None = None) -> bool:
    """Begins new peaks (`/proc/<pid>/clear_refs`); whether this process may do so, of all that are there."""
    began = [_reset(process.pid) for process in tree(pid, without)]
    return bool(began) and all(began)


def answer(pid: int, traffic: Traffic, *, reset: bool) -> dict[str, Any]:
    """What a worker answers to the order `usage`: counts since its start, and its peak since the last
    `reset`, which begins a new one; no peak where it could not begin one."""
    told = {"cpu_seconds": cpu_seconds(pid), "peak_memory": peak_memory(pid), **asdict(traffic)}
    if reset and not reset_peak(pid):
        told["peak_memory"] = None
    return told


def tree(pid: int, without: int | None = None) -> Iterator[psutil.Process]:
    """The process `pid` and its descendants, save `without` and its own."""
    left_out = {process.pid for process in tree(without)} if without is not None else set()
    with suppress(*_GONE):
        first = psutil.Process(pid)
        for process in (first, *first.children(recursive=True)):
            if process.pid not in left_out:
                yield process


def _reset(pid: int) -> bool:
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    except (FileNotFoundError, ProcessLookupError):
        return True  # it has ended meanwhile
    except OSError:
        return False
    return True


def _peak(pid: int) -> int | None:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return None if line is None else int(line.split()[1]) * 1024
