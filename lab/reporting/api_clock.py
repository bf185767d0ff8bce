"""How far this machine's clock is off, as the API's answers tell."""

import logging
import time
from collections.abc import Callable
from typing import Final

from lab.clock import now_us

OFF_SECONDS: Final = 0.1
"""A clock that is off by more seconds than this is reported as wrong."""
KEPT_US: Final = 300_000_000
LONGEST_ROUND_TRIP_US: Final = 1_000_000

logger = logging.getLogger(__name__)


def steady_us() -> int:
    """Microseconds of a clock that nobody sets."""
    return time.monotonic_ns() // 1000


class ApiClock:
    """The API's time, by the exchange with the shortest round trip of the last minutes. One thread notes exchanges,
    any may ask.

    Args:
        wall_us, steady_us: this machine's clock, and one that nobody sets, in microseconds.
    """

    def __init__(self, wall_us: Callable[[], int] = now_us, steady_us: Callable[[], int] = steady_us) -> None:
        self._wall_us, self.steady_us = wall_us, steady_us
        # When it was taken, how long it took, and the API's time less the steady one.
        self._best: tuple[int, int, int] | None = None
        self._said = False

    def note(self, sent_us: int, stamp: str | None) -> None:
        """Takes the API's `stamp` (microseconds since the epoch) from an answer that came now to what was sent at
        `sent_us` of the steady clock; what is no stamp is ignored."""
        now = self.steady_us()
        took = now - sent_us
        if stamp is None or not (stamp.isascii() and stamp.isdecimal()) or took > LONGEST_ROUND_TRIP_US:
            return
        ahead, best = int(stamp) - (sent_us + now) // 2, self._best
        # Each is right to half its round trip: where they contradict each other, a clock was set meanwhile.
        agree = best is not None and abs(ahead - best[2]) <= (took + best[1]) // 2
        if best is not None and agree and took > best[1] and now - best[0] < KEPT_US:
            return
        self._best = (now, took, ahead)
        off = self.offset or 0.0
        if not self._said and abs(off) > OFF_SECONDS:
            logger.warning("this machine's clock is %+.1f s off, by the API's", off)
        self._said = abs(off) > OFF_SECONDS

    def now_us(self) -> int:
        """The present moment in microseconds since the epoch: by this machine's clock, or by the API's where this
        one is wrong. Half a round trip is no reason to begin a job early."""
        off = self.offset or 0.0
        return self._wall_us() - (round(off * 1e6) if abs(off) > OFF_SECONDS else 0)

    @property
    def offset(self) -> float | None:
        """Seconds by which this machine's clock is ahead of the API's, behind it where negative; None if unknown."""
        return None if self._best is None else (self._wall_us() - self.steady_us() - self._best[2]) / 1e6

    @property
    def due(self) -> bool:
        """Whether nothing was told for minutes."""
        return self._best is None or self.steady_us() - self._best[0] > KEPT_US
