"""From a message's bytes to what the broker is told about it: jobs, and the threads that run them."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from itertools import count

from pika.spec import BasicProperties

from consumer.hold import Hold
from lab.broker import amqp
from lab.broker.message import read
from lab.job import Job, KilledItsProcess, perform, run
from lab.jobs.apart import perform_apart
from lab.jobs.context import Context, Report
from lab.logs import RECEIVED, JobLog
from lab.options import MAX_PRIORITY
from lab.reporting.reporter import ReportFailed
from lab.status import TaskStatus

logger = logging.getLogger(__name__)


class Action(Enum):
    """How a message is settled: https://www.rabbitmq.com/docs/confirms#acknowledgement-modes"""

    ACK = "ack"
    REJECT = "reject"  # becomes a dead letter
    REQUEUE = "requeue"


# Settles a message, having published the jobs that follow: its retry, or what its workflow goes on with.
Settle = Callable[[Action, Sequence[Job]], None]


@dataclass(eq=False, slots=True)
class ReceivedJob:
    """A job on its way through the worker.

    Attributes:
        settles: settle its messages, more than one where the broker delivered it again; called from any thread.
        wanted: whether it is still to be run; not when its connection was lost before it began.
        began, began_us: when it began, in monotonic seconds and in microseconds since the epoch.
    """

    job: Job
    attempt: int
    report: Report
    settles: list[Settle]
    wanted: Callable[[], bool] = lambda: True
    began: float = 0.0
    began_us: int = 0
    cancelled_at: float | None = None

    def settle(self, action: Action, following: Sequence[Job] = ()) -> None:
        """Settles all its messages the same way; with the last one the jobs that follow are published."""
        *others, last = self.settles
        for settle in others:
            settle(action, ())
        last(action, following)


class Jobs:
    """Runs jobs, `concurrency` at once, each in a thread.

    Args:
        report_for: gives the report function of a job, its attempt (from 1), and whether it was redelivered.
        context_for: gives what the job function is called with.
        log: where each job's start and end go.
        is_cancelled: tells whether a task is known to be cancelled.
        now_us: the present moment, by which a job's time comes or is over.

    Attributes:
        hold: keeps jobs whose time has not come and those that a rate limit holds; they take no thread.
        running: the jobs that run, by task id.
        ended: how many have ended, however.
    """

    def __init__(
        self,
        concurrency: int,
        report_for: Callable[[Job, int, bool], Report],
        context_for: Callable[[Job, int, Report], Context],
        log: JobLog,
        is_cancelled: Callable[[str], bool],
        now_us: Callable[[], int],
    ) -> None:
        self.concurrency = self.ended = self._leaving = 0
        self.running: dict[str, ReceivedJob] = {}
        self._report_for, self._context_for, self.now_us = report_for, context_for, now_us
        self._log = log
        self._line: queue.PriorityQueue[tuple[int, int, ReceivedJob | None]] = queue.PriorityQueue()
        self._order = count()
        self._lock = threading.Lock()
        self.hold: Hold[ReceivedJob] = Hold(
            self._put_in_line, lambda work: not work.wanted() or is_cancelled(work.job.task_id)
        )
        self.hold.start()
        self.grow(concurrency)

    def take(
        self,
        body: bytes,
        properties: BasicProperties,
        redelivered: bool,
        settle: Settle,
        wanted: Callable[[], bool],
    ) -> None:
        """Has the job in `body` run as soon as its time has come, its kind's rate limit allows and a thread is free,
        urgent ones first. `settle` is called once, from any thread."""
        try:
            job = read(body, properties)
        except ValueError as error:
            logger.error("message %s is not a valid job: %s", properties.message_id, error)
            settle(Action.REJECT, ())
            return
        attempt = job.attempt + (returns := amqp.delivery_count(properties.headers, redelivered))
        seconds = job.options.seconds_left(self.now_us())
        suspect = job.becomes_suspect(returns)
        if suspect or amqp.delay_seconds(seconds):  # through the next shorter delay queue
            settle(Action.ACK, [job.suspected(attempt) if suspect else job])
            return
        level = logging.DEBUG if job.beside else logging.INFO
        if logger.isEnabledFor(level):
            logger.log(level, RECEIVED, {"name": job.kind, "id": job.task_id, "args": job.arguments()})
        report = self._report_for(job, attempt, redelivered or job.suspect or attempt > job.attempt)
        work = ReceivedJob(job, attempt, report, [settle], wanted)
        with self._lock:
            if self._adopted(work):
                return
        self.hold.take(work, job.kind, seconds)

    def _adopted(self, work: ReceivedJob) -> bool:
        """Whether the job of `work` runs here already. After a lost connection the broker delivers its message again,
        which is then settled when the job ends. The lock is held."""
        first = self.running.get(work.job.task_id)
        if first is None:
            return False
        logger.warning("task %d runs here already", work.job.num)
        first.settles += work.settles
        return True

    def _put_in_line(self, work: ReceivedJob) -> None:
        priority = work.job.options.priority
        rank = MAX_PRIORITY + 1 if priority is None else MAX_PRIORITY - priority
        self._line.put((rank, next(self._order), work))

    def _run_jobs(self) -> None:
        while (work := self._line.get()[-1]) is not None:
            if self._begin(work):
                action, following = self._run(work)
                if not self.end(work):
                    return  # given up meanwhile: another thread has taken this one's place
                work.settle(action, following)
        with self._lock:
            self._leaving -= 1

    def _begin(self, work: ReceivedJob) -> bool:
        with self._lock:
            if not work.wanted() or self._adopted(work):
                return False
            work.began, work.began_us = time.monotonic(), self.now_us()
            self.running[work.job.task_id] = work
            return True

    def end(self, work: ReceivedJob) -> bool:
        """Whether the caller is the first to bring `work` to an end, and therefore settles it."""
        with self._lock:
            if self.running.get(work.job.task_id) is not work:
                return False
            del self.running[work.job.task_id]
            self.ended += 1
            return True

    def _run(self, work: ReceivedJob) -> tuple[Action, list[Job]]:
        """Runs the job and reports its end; returns how to settle its messages, and the jobs that follow."""
        job = work.job
        try:
            if job.options.expired(self.now_us()):
                work.report(TaskStatus.CANCELLED, error="expired")
                return Action.ACK, []
            context = self._context_for(job, work.attempt, work.report)
            outcome = run(job, work.report, self._log, context, perform_apart if job.suspect else perform)
        except Exception as error:
            trace = not isinstance(error, ReportFailed)
            logger.error("task %d goes back to the queue: %s", job.num, error, exc_info=trace)
            return Action.REQUEUE, []
        if outcome.status is TaskStatus.RETRYING:
            not_before = self.now_us() + round(outcome.again_seconds * 1e6)
            return Action.ACK, [job.again(work.attempt + 1, not_before)]
        action = Action.REJECT if isinstance(outcome.error, KilledItsProcess) else Action.ACK
        return action, outcome.following(job)

    def add_thread(self) -> None:
        """Starts a thread that runs jobs."""
        threading.Thread(target=self._run_jobs, name="job", daemon=True).start()

    def grow(self, n: int) -> None:
        """Runs `n` more jobs at once."""
        self.concurrency += n
        for _ in range(n):
            self.add_thread()

    def shrink(self, n: int) -> None:
        """Runs `n` fewer jobs at once, never fewer than one; those that run end first."""
        n = min(n, self.concurrency - 1)
        self.concurrency -= n
        with self._lock:
            self._leaving += n
        for _ in range(n):
            self._line.put((-1, next(self._order), None))

    def waiting(self) -> int:
        """How many jobs wait for a thread."""
        return max(0, self._line.qsize() - self._leaving)

    def hand_back(self) -> None:
        """Has all jobs that have not begun go back to the queue, for another worker."""
        waiting: list[ReceivedJob | None] = [*self.hold.give_up()]
        with suppress(queue.Empty):
            while True:
                waiting.append(self._line.get_nowait()[-1])
        for work in waiting:
            if work is not None:
                work.settle(Action.REQUEUE)
