"""Threads that run jobs, and what is done about those that do not end."""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from consumer.batch import Batch
from consumer.handler import REQUEUE, Handler, Run, failed
from consumer.held import Held
from consumer.quick import Durations, key_of
from consumer.work import Settle, Work
from lab.clock import now_us
from lab.job import Outcome
from lab.options import NONE
from lab.reporter import ReportFailed
from lab.status import TaskStatus

CANCEL_SECONDS: Final = 2.0
LIMIT_GRACE_SECONDS: Final = 1.0

logger = logging.getLogger(__name__)


class Runner:
    """Runs jobs, `concurrency` at once.

    Python cannot stop a thread from outside. A job that takes note of its cancellation or its time limit
    ends by itself; one that does not is given up: its task is settled, its thread left to itself, and
    another thread takes its place. Celery's prefork pool kills the process instead.

    Jobs that were quick before one thread runs one after the other, as many as take hundredths of a second,
    and tells of all at once. Each is still told of before it begins, and acknowledged after its end was taken.

    Args:
        is_cancelled: tells whether a task is known to be cancelled.
        durations: what is known of how long jobs take.
    """

    def __init__(
        self,
        handler: Handler,
        concurrency: int,
        is_cancelled: Callable[[str], bool],
        durations: Durations | None = None,
    ) -> None:
        self.concurrency = concurrency
        self._handler = handler
        self._is_cancelled = is_cancelled
        self._waiting: queue.SimpleQueue[Work | Batch | None] = queue.SimpleQueue()
        self._works: dict[str, Work] = {}
        self._batches: set[Batch] = set()
        self._durations = durations or Durations()
        self._ended = self._leaving = 0
        self._line: deque[Work] = deque()
        self._taken = 0
        self._lock = threading.Lock()
        self._held = Held(self._hand_over, self._is_over)
        for _ in range(concurrency):
            self._add_thread()

    def submit(self, run: Run, settle: Settle, wanted: Callable[[], bool] = lambda: True) -> None:
        """Has `run` run as soon as its time has come, its kind's rate limit allows and a thread is free, if
        it is still `wanted` then; `settle` is called from another thread. A job that runs here already is
        not begun again: after a lost connection the broker delivers its message once more."""
        if not self._adopt(run, settle):
            self._held.take(Work(run, [settle], wanted))

    def stand_in_line(self, run: Run, settle: Settle, wanted: Callable[[], bool] = lambda: True) -> None:
        """As `submit`, but not before `begin_next` says so."""
        if not self._adopt(run, settle):
            self._line.append(Work(run, [settle], wanted, self._key(run)))

    def begin_next(self) -> bool:
        """Submits the first one in the line, with those behind it that are quick as well; False where nobody
        stands there."""
        if not self._line:
            return False
        if len(self._batches) > 1 and self._durations.expected(self._line[0].key) is not None:
            return False  # one is told of, one runs: what comes meanwhile goes together as the next
        works = self._durations.take_quick(self._line, lambda work: not self._held.limited(work.run.job.kind))
        if len(works) > 1:
            batch = Batch(works)
            self._batches.add(batch)
            self._hand_over(batch)
        else:
            self._held.take(works[0] if works else self._line.popleft())
        return True

    def _key(self, run: Run) -> int:
        """0 where the job is told about alone in any case."""
        alone = self._handler.desk is None or run.again or run.job.options is not NONE
        return 0 if alone else key_of(run.job)

    @property
    def free(self) -> int:
        """How many threads have nothing to do."""
        return self.concurrency - self._taken

    def _adopt(self, run: Run, settle: Settle) -> bool:
        work = self._works.get(run.job.task_id)
        if work is None or not work.adopt(settle):
            return False
        logger.warning("task %d runs here already", run.job.num)
        return True

    def _hand_over(self, what: Work | Batch) -> None:
        """To a thread."""
        with self._lock:
            self._taken += 1
        self._waiting.put(what)

    def grow(self, n: int) -> None:
        """Runs `n` more jobs at once."""
        self.concurrency += n
        for _ in range(n):
            self._add_thread()

    def shrink(self, n: int) -> None:
        """Runs `n` fewer jobs at once, never fewer than one; those that run end first."""
        n = min(n, self.concurrency - 1)
        with self._lock:
            self.concurrency -= n
            self._leaving += n
        for _ in range(n):
            self._waiting.put(None)

    def rate_limit(self, kind: str, rate: str) -> None:
        """Lets jobs of `kind` begin at the `rate`, such as `10/m`; `0` lifts the limit.

        Raises:
            ValueError: `rate` is none.
        """
        self._held.rate_limit(kind, rate)

    def hand_back_held(self) -> None:
        """Has what a rate limit holds, waits for its time or stands in line go back to the queue, for another
        worker."""
        held = [*self._held.give_up(), *self._line]
        self._line.clear()
        for work in held:
            work.settle(REQUEUE)

    def picture(self) -> dict[str, Any]:
        """What goes on here: the jobs that run, and how many are `reserved` (here, not begun),
        `scheduled` (held by a rate limit or until its time) and `done` (ended, however) since the start."""
        return {
            "concurrency": self.concurrency,
            "active": [work.brief() for work in list(self._works.values()) if work.runs],
            "reserved": len(self._line) + max(0, self._waiting.qsize() - self._leaving),
            "scheduled": len(self._held),
            "done": self._ended,
            "rate_limits": self._held.rates(),
        }

    def give_up_overdue(self) -> None:
        """Gives up jobs that have not ended after their cancellation or their time limit. Call it often."""
        for batch in list(self._batches):
            if batch.is_slow:
                self._break_up(batch)
        now = time.monotonic()
        for work in list(self._works.values()):
            if not work.runs:
                continue
            if work.cancelled_at is None and self._is_cancelled(work.run.job.task_id):
                work.cancelled_at = now
            if work.cancelled_at is not None and now > work.cancelled_at + CANCEL_SECONDS:
                self._give_up(work, TaskStatus.CANCELLED, None)
            elif now > work.began + work.run.job.time_limit + LIMIT_GRACE_SECONDS:
                limit = f"TimeLimitExceeded: the job took longer than {work.run.job.time_limit:g} s"
                self._give_up(work, TaskStatus.FAILED, limit)

    def _give_up(self, work: Work, status: TaskStatus, error: str | None) -> None:
        if not work.take_end():
            return
        self._end(work)
        self._free_thread()
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

    def _is_over(self, work: Work) -> bool:
        return not work.wanted() or self._is_cancelled(work.run.job.task_id)

    def _run_jobs(self) -> None:
        while (what := self._waiting.get()) is not None:
            if not (self._run_batch(what) if isinstance(what, Batch) else self._run_one(what)):
                return  # given up meanwhile: another thread has taken this one's place
        with self._lock:
            self._leaving -= 1

    def _run_one(self, work: Work) -> bool:
        if not work.wanted():
            self._free_thread()
            # A batch's: a message of its job that came since may wait for it.
            if self._works.get(work.run.job.task_id) is work and work.take_end():
                self._end(work)
                work.settle(REQUEUE)
            return True
        if not self._is_first(work):
            self._free_thread()
            return True
        work.began, work.began_us, work.performed = time.monotonic(), now_us(), False
        try:
            settlement = self._handler.run(work.run)
        except Exception:
            logger.exception("task %d", work.run.job.num)
            settlement = REQUEUE
        if work.run.seconds:  # it was run
            self._durations.note(work.key, work.run.seconds)
        if not work.take_end():
            return False
        self._end(work)
        self._free_thread()
        work.settle(settlement)
        return True

    def _run_batch(self, batch: Batch) -> bool:
        self._begin(batch)
        while (work := batch.next()) is not None:
            outcome = self._handler.perform(work.run)
            self._durations.note(work.key, work.run.seconds)
            if not batch.end(work, outcome):
                return self._tell([(work, outcome)])
        return self._tell(batch.finish(), batch)

    def _begin(self, batch: Batch) -> None:
        """Tells that these jobs begin, and has those run alone that the answer takes out."""
        works = batch.sift(self._is_first)
        if not works or self._handler.desk is None:
            return
        verdicts = self._handler.desk.begin_all([work.run.report for work in works])
        stopped = [work for work, verdict in zip(works, verdicts, strict=True) if not verdict.run]
        if stopped:
            batch.sift(lambda work: work not in stopped)
            for work in stopped:
                self._hand_over(work)

    def _is_first(self, work: Work) -> bool:
        """Whether a work is to be begun: it is wanted, and no second message of one that is here."""
        if not work.wanted():
            return False
        there = self._works.setdefault(work.run.job.task_id, work)
        return there is work or not all(there.adopt(settle) for settle in work.settles)

    def _break_up(self, batch: Batch) -> None:
        ended, left = batch.break_up()
        self._batches.discard(batch)
        for work in left:
            self._hand_over(work)
        if ended:
            threading.Thread(target=self._tell, args=(ended, None, False), daemon=True).start()

    def _tell(
        self, ended: Sequence[tuple[Work, Outcome]], batch: Batch | None = None, by_its_thread: bool = True
    ) -> bool:
        """Reports how jobs ended, all together, and settles their messages; False where all had been given up."""
        told = True
        try:
            if self._handler.desk is not None and ended:
                self._handler.desk.end_all([(work.run.report, outcome) for work, outcome in ended])
        except Exception as error:
            logger.error("%d tasks go back to the queue: %s", len(ended), error)
            told = False
        won = [(work, outcome) for work, outcome in ended if work.take_end()]
        for work, _ in won:
            self._end(work)
        if batch is not None:
            self._batches.discard(batch)
        goes_on = bool(won) or not ended
        if by_its_thread and goes_on:
            self._free_thread()  # before the settlements wake who looks for a free one
        for work, outcome in won:
            work.settle(self._handler.settlement(work.run, outcome) if told else REQUEUE)
        return goes_on

    def _free_thread(self) -> None:
        with self._lock:
            self._taken -= 1

    def _end(self, work: Work) -> None:
        with self._lock:
            if self._works.get(work.run.job.task_id) is work:
                del self._works[work.run.job.task_id]
            self._ended += 1
