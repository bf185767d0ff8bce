"""Quick jobs that one thread runs one after the other, told about together."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from consumer.work import Work
from lab.clock import now_us
from lab.job import Outcome

SLOW_SECONDS: Final = 0.1


class Batch:
    """The works of a batch: those that are still to run, the one that runs, those that ran.

    Where one turns out slow after all the batch is broken up, from another thread: what ran is told, what is
    left is run elsewhere, and the thread keeps the slow one alone.
    """

    def __init__(self, works: Sequence[Work]) -> None:
        self._lock = threading.Lock()
        self._left = deque(works)
        self._ended: list[tuple[Work, Outcome]] = []
        self._current: Work | None = None
        self._broken = False

    def sift(self, keeps: Callable[[Work], bool]) -> list[Work]:
        """Leaves only the works that `keeps` says, and returns them; before the first is run."""
        works = [work for work in self._left if keeps(work)]
        self._left = deque(works)
        return works

    def next(self) -> Work | None:
        """The work to run now; None where there is none left."""
        with self._lock:
            self._current = work = self._left.popleft() if self._left else None
        if work is not None:
            work.began, work.began_us = time.monotonic(), now_us()
        return work

    def end(self, work: Work, outcome: Outcome) -> bool:
        """Notes what `work` came to; False where the batch was broken up meanwhile, and nobody will tell of it
        but the caller."""
        with self._lock:
            work.performed = True
            if not self._broken:
                self._ended.append((work, outcome))
            return not self._broken

    def finish(self) -> list[tuple[Work, Outcome]]:
        """Takes what ran, and what it came to, out of the batch, of which none is left; nothing where it was
        broken up."""
        with self._lock:
            ended, self._ended = self._ended, []
            return ended

    @property
    def is_slow(self) -> bool:
        """Whether the work that runs takes longer than a quick one may."""
        current = self._current
        return current is not None and current.runs and time.monotonic() - current.began > SLOW_SECONDS

    def break_up(self) -> tuple[list[tuple[Work, Outcome]], list[Work]]:
        """Takes what ran and what is left out of the batch."""
        with self._lock:
            self._broken = True
            ended, self._ended = self._ended, []
            left = list(self._left)
            self._left.clear()
            return ended, left
