"""Works that may not begin yet: those whose time has not come, and those that a rate limit holds."""

import threading
import time
from collections.abc import Callable
from typing import Final

from consumer.delays import Delays
from consumer.limits import Limits
from consumer.work import Work
from lab.clock import now_us

LOOK_SECONDS: Final = 0.5


class Held:
    """Gives each work to `begin` when its time has come and its kind's rate limit allows. What waits here
    holds no thread of the pool.

    Args:
        is_over: tells of a work that it will not be run anyway; such a one takes no turn.
    """

    def __init__(self, begin: Callable[[Work], None], is_over: Callable[[Work], bool]) -> None:
        self._begin = begin
        self._is_over = is_over
        self._delays: Delays[Work] = Delays()
        self._limits: Limits[Work] = Limits()
        self._changed = threading.Condition()
        threading.Thread(target=self._release, name="rate limits", daemon=True).start()

    def take(self, work: Work) -> None:
        """Has `work` begin as soon as it may: at once, where nothing is against it."""
        left = work.run.job.options.seconds_left(now_us())
        with self._changed:
            if left:
                self._delays.hold(time.monotonic() + left, work)
                self._changed.notify()
                return
            if self._limits.hold(work.run.job.kind, work):
                self._changed.notify()
                return
        self._begin(work)

    def limited(self, kind: str) -> bool:
        """Whether works of `kind` have to wait for their turn."""
        return self._limits.limited(kind)

    def rate_limit(self, kind: str, rate: str) -> None:
        """Lets jobs of `kind` begin at the `rate`, such as `10/m`; `0` lifts the limit.

        Raises:
            ValueError: `rate` is none.
        """
        with self._changed:
            self._limits.set(kind, rate)
            self._changed.notify()

    def give_up(self) -> list[Work]:
        """Gives out all that is held."""
        with self._changed:
            return [*self._limits.pick(lambda _: True), *self._delays.pick(lambda _: True)]

    def rates(self) -> dict[str, str]:
        """The limits that are set, by kind."""
        with self._changed:
            return self._limits.rates()

    def __len__(self) -> int:
        """How many are held."""
        with self._changed:
            return len(self._limits) + len(self._delays)

    def _release(self) -> None:
        with self._changed:
            while True:
                free = self._limits.pick(self._is_over) + self._delays.pick(self._is_over)
                for work in self._delays.due(time.monotonic()):
                    if not self._limits.hold(work.run.job.kind, work):
                        free.append(work)
                for work in free + self._limits.due(time.monotonic()):
                    self._begin(work)
                turns = [at for at in (self._limits.next_at(), self._delays.next_at()) if at is not None]
                self._changed.wait(
                    min(max(min(turns) - time.monotonic(), 0.0), LOOK_SECONDS) if turns else None
                )
