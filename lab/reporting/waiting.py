"""Updates on their way to the API, and who waits for the answer."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from lab.reporting.lines import Line
from lab.reporting.stamps import Stamp
from lab.status import UpdateAnswer

# Stamps wait for each other: nobody waits for them, and a POST costs the same whether it carries one or many.
QUIET_SECONDS: Final = 0.25
STAMP_SECONDS: Final = 2.0
MOST_STAMPS: Final = 200_000

logger = logging.getLogger(__name__)


class Waiting:
    """Updates whose sender waits for the verdicts, until `deadline` (monotonic seconds); None where there were
    none in time."""

    __slots__ = ("_on_answer", "answered", "deadline", "lines")

    def __init__(
        self, lines: Sequence[Line], deadline: float, on_answer: Callable[[list[UpdateAnswer] | None], object]
    ) -> None:
        self.lines = lines
        self.deadline = deadline
        self.answered = False
        self._on_answer = on_answer

    def answer(self, verdicts: list[UpdateAnswer] | None) -> None:
        self.answered = True
        self._on_answer(verdicts)


class WaitingStamps:
    """Stamps that wait to be sent together: until none has come for a quarter of a second, two seconds at most. At
    most `MOST_STAMPS` wait, of which the oldest are dropped. The reporter's lock is held by each caller."""

    def __init__(self) -> None:
        self._stamps: list[Stamp | Line] = []
        self._first_at = self._last_at = 0.0
        self._under_way = 0

    def __bool__(self) -> bool:
        return bool(self._stamps or self._under_way)

    def add(self, stamp: Stamp | Line) -> bool:
        """Whether it is the first, and the sending thread has to hear of it."""
        first, self._last_at = not self._stamps, time.monotonic()
        if first:
            self._first_at = self._last_at
        self._stamps.append(stamp)
        if len(self._stamps) > MOST_STAMPS:
            dropped = MOST_STAMPS // 100  # many at a time, as each drop moves all that stay
            logger.error("the API is away for too long: the oldest %d stamps are dropped", dropped)
            del self._stamps[:dropped]
        return first

    def hurry(self) -> None:
        """Has them sent at once."""
        self._first_at = 0.0

    def seconds(self) -> float:
        """Until the next are due to be sent."""
        if not self._stamps:
            return float("inf")
        due_at = min(self._first_at + STAMP_SECONDS, self._last_at + QUIET_SECONDS)
        return max(0.0, due_at - time.monotonic())

    def take(self, room: int, enough: int) -> list[Stamp | Line]:
        """Those that are due, at most `room`; where `enough` are left, they follow at once."""
        if room <= 0 or self.seconds():
            return []
        taken, self._stamps = self._stamps[:room], self._stamps[room:]
        self._under_way = len(taken)
        if len(self._stamps) < enough:
            self._first_at = time.monotonic()
        return taken

    def sent(self) -> None:
        """Those that were taken have arrived."""
        self._under_way = 0

    def put_back(self, taken: Sequence[Stamp | Line]) -> None:
        """Those that were `taken` have not arrived."""
        self._stamps[:0] = taken
        self._under_way = 0
