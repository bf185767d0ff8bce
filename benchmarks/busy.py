"""How much of the machine something else than the benchmark used."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from lab.usage import cpu_seconds, machine_seconds


class Busy:
    """The share of all processors that processes took which are not this one's descendants."""

    def __init__(self) -> None:
        self.foreign: float | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Measures from here to the end of the block, into `foreign`."""
        (total, at), own = machine_seconds(), family_seconds(os.getpid())
        yield
        (spent, now), used = machine_seconds(), family_seconds(os.getpid()) - own
        others = spent - total - used
        self.foreign = max(0.0, others / ((now - at) * (os.cpu_count() or 1))) if now > at else 0.0


def family_seconds(pid: int) -> float:
    """Processor seconds that `pid`, its descendants, and those of them that have ended have used; 0 if it is gone."""
    return cpu_seconds(pid) or 0.0
