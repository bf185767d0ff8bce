"""From a message's bytes to what the broker is told about it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from pika.spec import BasicProperties
from pydantic import ValidationError

from lab import amqp
from lab.clock import now_us
from lab.context import API, Cancelled, Files, Report
from lab.job import Job, Retry, Skipped, error_text, run_job
from lab.logs import RECEIVED, JobLog
from lab.places import Places
from lab.reporter import ReportFailed
from lab.status import TaskStatus

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


@dataclass(frozen=True)
class Run:
    """A job that is to be run: what it is, for the how manieth time, and how it reports."""

    job: Job
    attempt: int
    report: Report


class Handler:
    """Runs the jobs that messages carry; may be shared by threads.

    Args:
        report_for: gives the report function of a job, its attempt (from 1), and whether its message was
            delivered before.
        log: where each job's start and end go.
        files_for: gives a job's files at the API.
        api_for: gives what else a job may ask of the API.
        places: where the steps of workflows may read from.
    """

    def __init__(
        self,
        report_for: ReportForDelivery,
        log: JobLog,
        files_for: FilesFor | None = None,
        api_for: APIFor | None = None,
        places: Places | None = None,
    ) -> None:
        self._report_for = report_for
        self._log = log
        self._files_for = files_for
        self._api_for = api_for
        self._places = places

    def read(self, body: bytes, properties: BasicProperties, redelivered: bool) -> Run | None:
        """The job in `body`, or None where there is none: such a message is to be rejected, which makes
        it a dead letter."""
        try:
            job = Job.model_validate_json(body)
        except ValidationError as error:
            logger.error("message %s is no job: %s", properties.message_id, error)
            return None
        if not amqp.delay_seconds(job.options.seconds_left(now_us())):
            logger.info(RECEIVED, {"name": job.kind, "id": job.task_id, "args": job.arguments()})
        attempt = job.attempt + amqp.delivery_count(properties.headers, redelivered)
        return Run(job, attempt, self._report_for(job, attempt, redelivered or attempt > job.attempt))

    def run(self, run: Run) -> Settlement:
        """Runs the job to its end. One whose end could not be reported goes back to the queue."""
        try:
            if run.job.options.expired(now_us()):
                run.report(TaskStatus.CANCELLED, error="expired")
                return ACK
            files = self._files_for(run.job) if self._files_for else None
            api = self._api_for(run.job) if self._api_for else None
            result = run_job(run.job, run.report, self._log, run.attempt, files, api=api, places=self._places)
        except Retry as retry:
            not_before_us = now_us() + round(retry.seconds * 1e6)
            return Settlement(Action.RETRY, run.job.again(run.attempt + 1, not_before_us))
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


def failed(job: Job, text: str | None) -> Settlement:
    """How the message of a `job` that was given up is settled; it FAILED where there is the `text` of an
    error."""
    return ACK if text is None else _and_then(job.after_failure(text))


def _and_then(following: list[Job]) -> Settlement:
    return Settlement(Action.ACK, then=tuple(following)) if following else ACK
