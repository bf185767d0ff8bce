"""From a message's bytes to what the broker is told about it."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from pydantic import ValidationError

from consumer.deliveries import Properties
from lab import amqp
from lab.clock import now_us
from lab.context import API, Cancelled, Context, Files, Report
from lab.job import Job, Outcome, Retry, Skipped, begin, conclude, error_text, perform
from lab.logs import RECEIVED, JobLog
from lab.options import NONE
from lab.places import Places
from lab.reporter import ReportFailed
from lab.status import TaskStatus, Verdict

logger = logging.getLogger(__name__)

ReportForDelivery = Callable[[Job, int, bool], Report]
FilesFor = Callable[[Job], Files]
APIFor = Callable[[Job], API]


class Action(Enum):
    """How a message is settled: https://www.rabbitmq.com/docs/confirms#acknowledgement-modes"""

    ACK = "ack"
    REJECT = "reject"
    REQUEUE = "requeue"
    RETRY = "retry"


@dataclass(frozen=True)
class Settlement:
    """What to do with a message, and what to publish before it is acknowledged: the job `again` for a RETRY,
    and the jobs that follow this one, `then`."""

    action: Action
    again: Job | None = None
    then: tuple[Job, ...] = ()


ACK, REJECT, REQUEUE = (Settlement(action) for action in (Action.ACK, Action.REJECT, Action.REQUEUE))


@dataclass(slots=True)
class Run:
    """A job that is to be run: what it is, for the how manieth time, how it reports, whether its message was
    delivered before, whether that goes through another delay queue first, and how many seconds the job itself
    took."""

    job: Job
    attempt: int
    report: Report
    again: bool = False
    waits: bool = False
    seconds: float = 0.0


class Desk(Protocol):
    """Takes the reports of many jobs in one go; `lab.reporter.Reporter` is one."""

    def begin_all(self, reports: Sequence[Report]) -> list[Verdict]: ...
    def end_all(self, ends: Sequence[tuple[Report, Outcome]]) -> None: ...


class Handler:
    """Runs the jobs that messages carry; may be shared by threads.

    Args:
        report_for: gives the report function of a job, its attempt (from 1), and whether its message was
            delivered before.
        log: where each job's start and end go.
        files_for: gives a job's files at the API.
        api_for: gives what else a job may ask of the API.
        places: where the steps of workflows may read from.
        desk: takes reports of many jobs together; without it each reports by itself.
    """

    def __init__(
        self,
        report_for: ReportForDelivery,
        log: JobLog,
        files_for: FilesFor | None = None,
        api_for: APIFor | None = None,
        places: Places | None = None,
        desk: Desk | None = None,
    ) -> None:
        self._report_for = report_for
        self._log = log
        self._files_for = files_for
        self._api_for = api_for
        self._places = places or Places()
        self.desk = desk

    def read(self, body: bytes, properties: Properties, redelivered: bool) -> Run | None:
        """The job in `body`, or None where there is none: such a message is to be rejected, which makes
        it a dead letter."""
        try:
            job = Job.model_validate_json(body)
        except ValidationError as error:
            logger.error("message %s is no job: %s", properties.message_id, error)
            return None
        waits = job.options is not NONE and amqp.delay_seconds(job.options.seconds_left(now_us())) > 0
        if not waits and logger.isEnabledFor(logging.INFO):
            logger.info(RECEIVED, {"name": job.kind, "id": job.task_id, "args": job.arguments()})
        attempt = job.attempt + amqp.delivery_count(properties.headers, redelivered)
        again = redelivered or attempt > job.attempt
        return Run(job, attempt, self._report_for(job, attempt, again), again, waits)

    def run(self, run: Run) -> Settlement:
        """Runs the job to its end. One whose end could not be reported goes back to the queue."""
        try:
            if run.job.options.expired(now_us()):
                run.report(TaskStatus.CANCELLED, error="expired")
                return ACK
            begin(run.job, run.report, self._log)
            result = conclude(run.job, self.perform(run), run.report, self._log)
        except Retry as retry:
            return _retry(run, retry.seconds)
        except ReportFailed as error:
            logger.error("task %d goes back to the queue: %s", run.job.num, error)
            return REQUEUE
        except Skipped as skipped:
            # Whoever brought it to its end may have died before it sent what follows; of copies one runs.
            return _and_then(run.job.after(skipped.verdict))
        except Cancelled:
            return ACK
        except Exception as error:
            logger.debug("task %d failed and was reported: %r", run.job.num, error)
            return _and_then(run.job.after_failure(error_text(error)))
        return _and_then(run.job.after_success(result))

    def perform(self, run: Run) -> Outcome:
        """Runs the job and tells nobody: its begin has been told, and its end will be."""
        job = run.job
        context = Context(
            job.num,
            run.attempt,
            job.time_limit,
            run.report,
            self._files_for(job) if self._files_for else None,
            self._api_for(job) if self._api_for else None,
            places=self._places,
        )
        begun = time.monotonic()
        outcome = perform(job, self._log, context)
        run.seconds = time.monotonic() - begun
        return outcome

    def settlement(self, run: Run, outcome: Outcome) -> Settlement:
        """How the message of a job is settled whose `outcome` has been told."""
        match outcome.status:
            case TaskStatus.DONE:
                self._log.finished(run.job.num)
                return _and_then(run.job.after_success(outcome.result))
            case TaskStatus.RETRYING:
                return _retry(run, outcome.again_seconds)
            case TaskStatus.FAILED:
                return failed(run.job, outcome.text)
            case _:
                return ACK


def _retry(run: Run, seconds: float) -> Settlement:
    return Settlement(Action.RETRY, run.job.again(run.attempt + 1, now_us() + round(seconds * 1e6)))


def failed(job: Job, text: str | None) -> Settlement:
    """How the message of a `job` that was given up is settled; it FAILED where there is the `text` of an
    error."""
    return ACK if text is None else _and_then(job.after_failure(text))


def _and_then(following: list[Job]) -> Settlement:
    return Settlement(Action.ACK, then=tuple(following)) if following else ACK
