"""Jobs that may not begin yet: those whose time has not come, and those that a rate limit holds.

The broker's delay queues wait whole seconds; what is left of a countdown is waited for here. Rates are counted as
Celery counts them: starts of a kind in a second, a minute or an hour, in each worker by itself.
https://docs.celeryq.dev/en/stable/reference/celery.app.task.html#celery.app.task.Task.rate_limit
"""

import heapq
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Final, Generic, TypeVar

SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}
RATE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(?:/([smh]))?", re.ASCII)
CHECK_SECONDS: Final = 0.5
MOST_CROWD: Final = 1024

Work = TypeVar("Work")


def interval(rate: str) -> float:
    """Seconds from one start to the next: 6.0 for `10/m`, and 0.0 for `0`, which is no limit. Raises ValueError where
    `rate` is not a number, alone (a second is meant) or with `/s`, `/m` or `/h`."""
    match = RATE.fullmatch(rate)
    if match is None:
        raise ValueError(f"{rate!r} is no rate: it takes a number alone or with /s, /m or /h, such as 10/m")
    starts = float(match[1])
    return SECONDS[match[2] or "s"] / starts if starts else 0.0


@dataclass
class _Limit(Generic[Work]):
    """The jobs of one kind that wait for their turn, in order: a token bucket with a single token, back `interval`
    seconds after it was taken. Nothing is saved up in quiet times, so nothing bursts."""

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


class Hold(Generic[Work]):
    """Gives each work to `begin` when its time has come and its kind's rate limit allows; one that will not be run
    anyway (`is_over`) without taking a turn. Threads may share it."""

    def __init__(self, begin: Callable[[Work], None], is_over: Callable[[Work], bool]) -> None:
        self._begin = begin
        self._is_over = is_over
        self._early: list[tuple[float, int, str, Work]] = []  # a heap, by time
        self._order = count()
        self._limits: dict[str, _Limit[Work]] = {}
        self._changed = threading.Condition()

    def start(self) -> None:
        """Releases what is held from now on, from a thread of its own."""
        threading.Thread(target=self._run, name="hold", daemon=True).start()

    def take(self, work: Work, kind: str, seconds: float = 0.0) -> None:
        """Has `work` begin in `seconds` or later, as the limit of its `kind` says; at once where it may."""
        with self._changed:
            if seconds > 0:
                heapq.heappush(self._early, (time.monotonic() + seconds, next(self._order), kind, work))
                self._changed.notify()
            else:
                self._limit(work, kind)

    def _limit(self, work: Work, kind: str) -> None:
        limit = self._limits.get(kind)
        if limit is not None and (limit.interval or limit.held):
            limit.held.append(work)
            self._changed.notify()
        else:
            self._begin(work)

    def rate_limit(self, kind: str, rate: str) -> None:
        """Lets jobs of `kind` begin at the `rate`, what is held already included; `0` lifts the limit. Raises as
        `interval` does."""
        seconds = interval(rate)
        with self._changed:
            limit = self._limits.setdefault(kind, _Limit(rate, seconds))
            if limit.interval:
                limit.free_at -= limit.interval - seconds  # counted from the last start, at the new rate
            limit.rate, limit.interval = rate, seconds
            self._changed.notify()

    def rates(self) -> dict[str, str]:
        """The limits that are set, by kind."""
        with self._changed:
            return {kind: limit.rate for kind, limit in self._limits.items() if limit.interval}

    def crowd(self) -> int:
        """How many jobs rate limits hold, up to the next power of two: that many more are fetched, so that others can
        pass."""
        with self._changed:
            held = sum(len(limit.held) for limit in self._limits.values())
        return min(1 << (held - 1).bit_length(), MOST_CROWD) if held else 0

    def give_up(self) -> list[Work]:
        """Gives out all that is held."""
        with self._changed:
            early, self._early = [work for *_, work in self._early], []
            return early + self._pick(lambda _: True)

    def _pick(self, fits: Callable[[Work], bool]) -> list[Work]:
        picked: list[Work] = []
        for limit in self._limits.values():
            held, limit.held = limit.held, deque()
            for work in held:
                (picked if fits(work) else limit.held).append(work)
        return picked

    def __len__(self) -> int:
        with self._changed:
            return len(self._early) + sum(len(limit.held) for limit in self._limits.values())

    def release(self, now: float) -> float | None:
        """Begins what may begin at `now` (monotonic seconds); returns when the next may, None where nothing is held."""
        with self._changed:
            while self._early and self._early[0][0] <= now:
                *_, kind, work = heapq.heappop(self._early)
                self._limit(work, kind)
            over = self._pick(self._is_over)
            for work in over + [work for limit in self._limits.values() for work in limit.take(now)]:
                self._begin(work)
            turns = [limit.free_at for limit in self._limits.values() if limit.held]
            return min([*turns, *(at for at, *_ in self._early[:1])], default=None)

    def _run(self) -> None:
        with self._changed:
            while True:
                at = self.release(time.monotonic())
                self._changed.wait(
                    None if at is None else min(max(at - time.monotonic(), 0.0), CHECK_SECONDS)
                )
