"""Threads that run jobs, and what is done about those that do not end."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from consumer.handler import ACK, REQUEUE, Action, Handler, Run, Settlement
from lab.reporter import ReportFailed
from lab.status import TaskStatus

CANCEL_SECONDS: Final = 2.0
LIMIT_GRACE_SECONDS: Final = 1.0

logger = logging.getLogger(__name__)


Settle = Callable[[Settlement], None]


@dataclass
class _Work:
    run: Run
    settles: list[Settle]
    wanted: Callable[[], bool]
    began: float = 0.0
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
        """Settles all its messages alike, save that a retry is published once."""
        *others, last = self.settles
        for settle in others:
            settle(ACK if settlement.action is Action.RETRY else settlement)
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
        self._waiting: queue.SimpleQueue[_Work] = queue.SimpleQueue()
        self._works: dict[int, _Work] = {}
        for _ in range(concurrency):
            self._add_thread()

    def submit(self, run: Run, settle: Settle, wanted: Callable[[], bool] = lambda: True) -> None:
        """Has `run` run as soon as a thread is free, if it is still `wanted` then; `settle` is called from
        another thread. A job that runs here already is not begun again: after a lost connection the
        broker delivers its message once more."""
        for work in list(self._works.values()):
            if work.run.job.task_id == run.job.task_id and work.adopt(settle):
                logger.warning("task %d runs here already", run.job.num)
                return
        self._waiting.put(_Work(run, [settle], wanted))

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
        self._works.pop(id(work), None)
        logger.error("task %d does not end and is given up", work.run.job.num)

        def report() -> None:
            try:
                work.run.report(status, error=error)
                work.settle(ACK)
            except ReportFailed as failure:
                logger.error("task %d goes back to the queue: %s", work.run.job.num, failure)
                work.settle(REQUEUE)

        threading.Thread(target=report, daemon=True).start()
        self._add_thread()

    def _add_thread(self) -> None:
        threading.Thread(target=self._run_jobs, name="job", daemon=True).start()

    def _run_jobs(self) -> None:
        while True:
            work = self._waiting.get()
            if not work.wanted():
                continue
            work.began = time.monotonic()
            self._works[id(work)] = work
            try:
                settlement = self._handler.run(work.run)
            except Exception:
                logger.exception("task %d", work.run.job.num)
                settlement = REQUEUE
            if not work.take_end():
                return  # given up meanwhile: another thread has taken this one's place
            self._works.pop(id(work), None)
            work.settle(settlement)
