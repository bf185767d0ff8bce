"""Threads that run jobs, and what is done about those that do not end."""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from consumer.delays import Delays
from consumer.handler import ACK, REQUEUE, Handler, Run, Settlement, failed
from consumer.limits import Limits
from lab.clock import now_us, to_iso
from lab.reporter import ReportFailed
from lab.status import TaskStatus

CANCEL_SECONDS: Final = 2.0
LIMIT_GRACE_SECONDS: Final = 1.0
HELD_LOOK_SECONDS: Final = 0.5

logger = logging.getLogger(__name__)


Settle = Callable[[Settlement], None]


@dataclass(eq=False)
class _Work:
    run: Run
    settles: list[Settle]
    wanted: Callable[[], bool]
    began: float = 0.0
    began_us: int = 0
    cancelled_at: float | None = None
    over: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take_end(self) -> bool:
        """Whether the caller is the first to bring this work to an end, and therefore settles it."""
        with self.lock:
            first, self.over = not self.over, True
            return first

    def adopt(self, settle: Settle) -> bool:
        """Has another message of this work settled at its end; False where that has come already."""
        with self.lock:
            if not self.over:
                self.settles.append(settle)
            return not self.over

    def settle(self, settlement: Settlement) -> None:
        """Settles all its messages alike, save that what is to be published goes out once."""
        *others, last = self.settles
        for settle in others:
            settle(ACK if settlement.again or settlement.then else settlement)
        last(settlement)


class Runner:
    """Runs jobs, `concurrency` at once.

    Python cannot stop a thread from outside. A job that takes note of its cancellation or its time limit
    ends by itself; one that does not is given up: its task is settled, its thread left to itself, and
    another thread takes its place. Celery's prefork pool kills the process instead.

    Args:
        is_cancelled: tells whether a task is known to be cancelled.
    """

    def __init__(self, handler: Handler, concurrency: int, is_cancelled: Callable[[str], bool]) -> None:
        self.concurrency = concurrency
        self._handler = handler
        self._is_cancelled = is_cancelled
        self._waiting: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._works: dict[int, _Work] = {}
        self._ended = self._leaving = 0
        self._line: deque[_Work] = deque()
        self._taken = 0
        self._delays: Delays[_Work] = Delays()
        self._limits: Limits[_Work] = Limits()
        self._changed = threading.Condition()
        for _ in range(concurrency):
            self._add_thread()
        threading.Thread(target=self._release_held, name="rate limits", daemon=True).start()

    def submit(self, run: Run, settle: Settle, wanted: Callable[[], bool] = lambda: True) -> None:
        """Has `run` run as soon as its time has come, its kind's rate limit allows and a thread is free, if
        it is still `wanted` then; `settle` is called from another thread. A job that runs here already is
        not begun again: after a lost connection the broker delivers its message once more."""
        if not self._adopt(run, settle):
            self._take(_Work(run, [settle], wanted))

    def stand_in_line(self, run: Run, settle: Settle, wanted: Callable[[], bool] = lambda: True) -> None:
        """As `submit`, but not before `begin_next` says so."""
        if not self._adopt(run, settle):
            self._line.append(_Work(run, [settle], wanted))

    def begin_next(self) -> bool:
        """Submits the first one in the line; False where nobody stands there."""
        if self._line:
            self._take(self._line.popleft())
            return True
        return False

    @property
    def free(self) -> int:
        """How many threads have nothing to do."""
        return self.concurrency - self._taken

    def _adopt(self, run: Run, settle: Settle) -> bool:
        for work in list(self._works.values()):
            if work.run.job.task_id == run.job.task_id and work.adopt(settle):
                logger.warning("task %d runs here already", run.job.num)
                return True
        return False

    def _take(self, work: _Work) -> None:
        left = work.run.job.options.seconds_left(now_us())
        with self._changed:
            if left:
                self._delays.hold(time.monotonic() + left, work)
                self._changed.notify()
            elif self._limits.hold(work.run.job.kind, work):
                self._changed.notify()
            else:
                self._hand_over(work)

    def _hand_over(self, work: _Work) -> None:
        """To a thread; while the lock is held."""
        self._taken += 1
        self._waiting.put(work)

    def grow(self, n: int) -> None:
        """Runs `n` more jobs at once."""
        self.concurrency += n
        for _ in range(n):
            self._add_thread()

    def shrink(self, n: int) -> None:
        """Runs `n` fewer jobs at once, never fewer than one; those that run end first."""
        n = min(n, self.concurrency - 1)
        with self._changed:
            self.concurrency -= n
            self._leaving += n
        for _ in range(n):
            self._waiting.put(None)

    def rate_limit(self, kind: str, rate: str) -> None:
        """Lets jobs of `kind` begin at the `rate`, such as `10/m`; `0` lifts the limit.

        Raises:
            ValueError: `rate` is none.
        """
        with self._changed:
            self._limits.set(kind, rate)
            self._changed.notify()

    def hand_back_held(self) -> None:
        """Has what a rate limit holds, waits for its time or stands in line go back to the queue, for another
        worker."""
        with self._changed:
            held = [*self._limits.pick(lambda _: True), *self._delays.pick(lambda _: True), *self._line]
            self._line.clear()
        for work in held:
            work.settle(REQUEUE)

    def picture(self) -> dict[str, Any]:
        """What goes on here: the jobs that run, and how many are `reserved` (here, not begun),
        `scheduled` (held by a rate limit or until its time) and `done` (ended, however) since the start."""
        with self._changed:
            scheduled, rates = len(self._limits) + len(self._delays), self._limits.rates()
            reserved = len(self._line) + max(0, self._waiting.qsize() - self._leaving)
        return {
            "concurrency": self.concurrency,
            "active": [
                {
                    "id": work.run.job.task_id,
                    "kind": work.run.job.kind,
                    "num": work.run.job.num,
                    "since": to_iso(work.began_us),
                }
                for work in list(self._works.values())
            ],
            "reserved": reserved,
            "scheduled": scheduled,
            "done": self._ended,
            "rate_limits": rates,
        }

    def give_up_overdue(self) -> None:
        """Gives up jobs that have not ended after their cancellation or their time limit. Call it often."""
        now = time.monotonic()
        for work in list(self._works.values()):
            if work.cancelled_at is None and self._is_cancelled(work.run.job.task_id):
                work.cancelled_at = now
            if work.cancelled_at is not None and now > work.cancelled_at + CANCEL_SECONDS:
                self._give_up(work, TaskStatus.CANCELLED, None)
            elif now > work.began + work.run.job.time_limit + LIMIT_GRACE_SECONDS:
                limit = f"TimeLimitExceeded: the job took longer than {work.run.job.time_limit:g} s"
                self._give_up(work, TaskStatus.FAILED, limit)

    def _give_up(self, work: _Work, status: TaskStatus, error: str | None) -> None:
        if not work.take_end():
            return
        self._end(work)
        logger.error("task %d does not end and is given up", work.run.job.num)

        def report() -> None:
            try:
                work.run.report(status, error=error)
                work.settle(failed(work.run.job, error))
            except ReportFailed as failure:
                logger.error("task %d goes back to the queue: %s", work.run.job.num, failure)
                work.settle(REQUEUE)

        threading.Thread(target=report, daemon=True).start()
        self._add_thread()

    def _add_thread(self) -> None:
        threading.Thread(target=self._run_jobs, name="job", daemon=True).start()

    def _release_held(self) -> None:
        """Hands held jobs on when their turn comes. One that is cancelled or not wanted any more takes no
        turn: the thread that gets it will not run it."""
        with self._changed:
            while True:
                free = self._limits.pick(self._is_over) + self._delays.pick(self._is_over)
                for work in self._delays.due(time.monotonic()):
                    if not self._limits.hold(work.run.job.kind, work):
                        free.append(work)
                for work in free + self._limits.due(time.monotonic()):
                    self._hand_over(work)
                turns = [
                    turn for turn in (self._limits.next_at(), self._delays.next_at()) if turn is not None
                ]
                wait = min(max(min(turns) - time.monotonic(), 0.0), HELD_LOOK_SECONDS) if turns else None
                self._changed.wait(wait)

    def _is_over(self, work: _Work) -> bool:
        return not work.wanted() or self._is_cancelled(work.run.job.task_id)

    def _run_jobs(self) -> None:
        while (work := self._waiting.get()) is not None:
            if not work.wanted():
                with self._changed:
                    self._taken -= 1
                continue
            work.began, work.began_us = time.monotonic(), now_us()
            self._works[id(work)] = work
            try:
                settlement = self._handler.run(work.run)
            except Exception:
                logger.exception("task %d", work.run.job.num)
                settlement = REQUEUE
            if not work.take_end():
                return  # given up meanwhile: another thread has taken this one's place
            self._end(work)
            work.settle(settlement)
        with self._changed:
            self._leaving -= 1

    def _end(self, work: _Work) -> None:
        with self._changed:
            self._works.pop(id(work), None)
            self._taken -= 1
            self._ended += 1
