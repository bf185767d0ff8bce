"""What a process and all that it started have used: processor time and memory, by proc(5)."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final

import psutil

from lab.broker.traffic import Traffic

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


def machine_seconds() -> tuple[float, float]:
    """Processor seconds that all processes of the machine have used since it started, and the monotonic clock. The
    kernel's interrupts are nobody's; what a neighbour machine took of the processors is somebody else's."""
    times = psutil.cpu_times()
    spent = times.user + times.nice + times.system + getattr(times, "steal", 0.0)
    return float(spent), time.monotonic()


def memory(pid: int, without: int | None = None) -> int | None:
    """Bytes that the process `pid` and its descendants hold now: their proportional set sizes (PSS), in which a page
    that several share counts once in all. None where there is no such process, or no such figure."""
    held = None
    for process in tree(pid, without):
        with suppress(*_GONE, AttributeError):  # no PSS but on Linux
            held = (held or 0) + process.memory_full_info().pss
    return held


def answer(pid: int, traffic: Traffic) -> dict[str, Any]:
    """What a worker answers to the order `usage`: counts since its start, and the memory that it holds."""
    return {"cpu_seconds": cpu_seconds(pid), "memory": memory(pid), **asdict(traffic)}


def tree(pid: int, without: int | None = None) -> Iterator[psutil.Process]:
    """The process `pid` and its descendants, except `without` and its own."""
    left_out = {process.pid for process in tree(without)} if without is not None else set()
    with suppress(*_GONE):
        first = psutil.Process(pid)
        for process in (first, *first.children(recursive=True)):
            if process.pid not in left_out:
                yield process
