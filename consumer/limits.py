"""Rate limits, counted as Celery counts them: so many starts of a kind in a second, a minute or an hour,
evenly spaced, in each worker by itself.

https://docs.celeryq.dev/en/stable/reference/celery.app.task.html#celery.app.task.Task.rate_limit
"""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}
RATE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(?:/([smh]))?", re.ASCII)

Work = TypeVar("Work")


def interval(rate: str) -> float:
    """Seconds from one start to the next: 6.0 for `10/m`, and 0.0 for `0`, which is no limit.

    Raises:
        ValueError: `rate` is not a number, alone (a second is meant) or with `/s`, `/m` or `/h`.
    """
    match = RATE.fullmatch(rate)
    if match is None:
        raise ValueError(f"{rate!r} is no rate: it takes a number alone or with /s, /m or /h, such as 10/m")
    starts = float(match[1])
    return SECONDS[match[2] or "s"] / starts if starts else 0.0


@dataclass
class _Line(Generic[Work]):
    """The works of one kind that wait for their turn, in order.

    A bucket that holds a single token, which is back `interval` seconds after it was taken: nothing is
    saved up in quiet times, so nothing bursts.
    """

    rate: str
    interval: float
    free_at: float = 0.0
    held: deque[Work] = field(default_factory=deque)

    def take(self, now: float) -> list[Work]:
        taken: list[Work] = []
        while self.held and now >= self.free_at:
            taken.append(self.held.popleft())
            self.free_at = now + self.interval
        return taken


class Limits(Generic[Work]):
    """Holds works back until the limit of their kind lets them start. Threads take turns with it."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line[Work]] = {}

    def set(self, kind: str, rate: str) -> None:
        """Limits `kind` from now on, what is held already included; `0` lifts its limit.

        Raises:
            ValueError: `rate` is none.
        """
        seconds = interval(rate)
        line = self._lines.setdefault(kind, _Line(rate, seconds))
        if line.interval:
            line.free_at -= line.interval - seconds  # counted from the last start, at the new rate
        line.rate, line.interval = rate, seconds

    def rates(self) -> dict[str, str]:
        """The limits that are set, by kind."""
        return {kind: line.rate for kind, line in self._lines.items() if line.interval}

    def limited(self, kind: str) -> bool:
        """Whether works of `kind` have to wait for their turn."""
        line = self._lines.get(kind)
        return line is not None and bool(line.interval or line.held)

    def hold(self, kind: str, work: Work) -> bool:
        """Takes `work` in where its kind is limited; False where it may start at once."""
        if not self.limited(kind):
            return False
        self._lines[kind].held.append(work)
        return True

    def due(self, now: float) -> list[Work]:
        """Gives out the works whose turn has come at `now` (monotonic seconds)."""
        return [work for line in self._lines.values() for work in line.take(now)]

    def pick(self, fits: Callable[[Work], bool]) -> list[Work]:
        """Gives out the works that `fits` says, whosever turn it is."""
        picked: list[Work] = []
        for line in self._lines.values():
            left: deque[Work] = deque()
            for work in line.held:
                (picked if fits(work) else left).append(work)
            line.held = left
        return picked

    def next_at(self) -> float | None:
        """When the next turn comes (monotonic seconds); None where nothing is held."""
        return min((line.free_at for line in self._lines.values() if line.held), default=None)

    def __len__(self) -> int:
        """How many works are held."""
        return sum(len(line.held) for line in self._lines.values())
