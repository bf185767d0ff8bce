"""How much of the machine something else than the benchmark used."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil


class Busy:
    """The share of all processors that processes took which are not this one's descendants."""

    def __init__(self) -> None:
        self.foreign: float | None = None
        self.own: dict[int, float] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Measures from here to the end of the block, into `foreign`."""
        at, total, own = time.monotonic(), _total(), _own()
        yield
        seconds = time.monotonic() - at
        spent = _total() - total - (_own() - own)
        self.foreign = max(0.0, spent / (seconds * (os.cpu_count() or 1))) if seconds > 0 else 0.0


def family_seconds(pid: int) -> float:
    """Processor seconds that `pid`, its descendants, and those of them that have ended have used."""
    try:
        found = [psutil.Process(pid)]
        found += found[0].children(recursive=True)
    except psutil.NoSuchProcess:
        return 0.0
    seconds = 0.0
    for process in found:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def _own() -> float:
    return family_seconds(os.getpid())


def _total() -> float:
    """What processes used; the kernel's interrupts are nobody's, and a neighbour machine's share is foreign."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + getattr(times, "steal", 0.0))
