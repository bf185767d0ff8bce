"""From a message's bytes to what the broker is told about it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from pika.spec import BasicProperties
from pydantic import ValidationError

from lab import amqp
from lab.context import Cancelled, Report
from lab.job import Job, Retry, Skipped, run_job
from lab.logs import RECEIVED, JobLog
from lab.reporter import ReportFailed

logger = logging.getLogger(__name__)

ReportForDelivery = Callable[[Job, int, bool], Report]


class Action(Enum):
    """How a message is settled: https://www.rabbitmq.com/docs/confirms#acknowledgement-modes"""

    ACK = "ack"
    REJECT = "reject"
    REQUEUE = "requeue"
    RETRY = "retry"


@dataclass(frozen=True)
class Settlement:
    """What to do with a message; `again` is the job to publish anew, after `seconds`, before a RETRY's
    acknowledgement."""

    action: Action
    again: Job | None = None
    seconds: float = 0.0


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
    """

    def __init__(self, report_for: ReportForDelivery, log: JobLog) -> None:
        self._report_for = report_for
        self._log = log

    def read(self, body: bytes, properties: BasicProperties, redelivered: bool) -> Run | None:
        """The job in `body`, or None where there is none: such a message is to be rejected, which makes
        it a dead letter."""
        try:
            job = Job.model_validate_json(body)
        except ValidationError as error:
            logger.error("message %s is no job: %s", properties.message_id, error)
            return None
        logger.info(RECEIVED, {"name": job.kind, "id": job.task_id, "args": job.arguments()})
        attempt = job.attempt + amqp.delivery_count(properties.headers, redelivered)
        return Run(job, attempt, self._report_for(job, attempt, redelivered or attempt > job.attempt))

    def run(self, run: Run) -> Settlement:
        """Runs the job to its end. One whose end could not be reported goes back to the queue."""
        try:
            run_job(run.job, run.report, self._log, run.attempt)
        except Retry as retry:
            again = {"attempt": run.attempt + 1, "retries": run.job.retries + 1}
            return Settlement(Action.RETRY, run.job.model_copy(update=again), retry.seconds)
        except ReportFailed as error:
            logger.error("task %d goes back to the queue: %s", run.job.num, error)
            return REQUEUE
        except (Skipped, Cancelled):
            return ACK
        except Exception as error:
            logger.debug("task %d failed and was reported: %r", run.job.num, error)
        return ACK
