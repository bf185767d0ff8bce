"""Works whose time comes within a second: the broker's delays are whole seconds, the rest is waited for here."""

import heapq
from collections.abc import Callable
from itertools import count
from typing import Generic, TypeVar

Work = TypeVar("Work")


class Delays(Generic[Work]):
    """Holds works back until their time. Threads take turns with it."""

    def __init__(self) -> None:
        self._held: list[tuple[float, int, Work]] = []
        self._order = count()

    def hold(self, at: float, work: Work) -> None:
        """Takes `work` in until `at` (monotonic seconds)."""
        heapq.heappush(self._held, (at, next(self._order), work))

    def due(self, now: float) -> list[Work]:
        """Gives out the works whose time has come at `now`, the earliest first."""
        works: list[Work] = []
        while self._held and self._held[0][0] <= now:
            works.append(heapq.heappop(self._held)[2])
        return works

    def pick(self, fits: Callable[[Work], bool]) -> list[Work]:
        """Gives out the works that `fits` says, whether their time has come or not."""
        picked = [entry for entry in self._held if fits(entry[2])]
        self._held = [entry for entry in self._held if not fits(entry[2])]
        heapq.heapify(self._held)
        return [work for _, _, work in picked]

    def next_at(self) -> float | None:
        """When the next one's time comes (monotonic seconds); None where nothing is held."""
        return self._held[0][0] if self._held else None

    def __len__(self) -> int:
        """How many works are held."""
        return len(self._held)
