"""From a message's bytes to what the broker is told about it."""

import logging
from collections.abc import Callable
from enum import Enum

from pika.spec import BasicProperties
from pydantic import ValidationError

from lab import amqp
from lab.job import Job, Report, Skipped, run_job
from lab.logs import RECEIVED, JobLog
from lab.reporter import ReportFailed

logger = logging.getLogger(__name__)

ReportForAttempt = Callable[[Job, int], Report]


class Settlement(Enum):
    """How a message is settled: https://www.rabbitmq.com/docs/confirms#acknowledgement-modes"""

    ACK = "ack"
    REJECT = "reject"
    REQUEUE = "requeue"


class Handler:
    """Runs the jobs that messages carry; may be shared by threads.

    Args:
        report_for: gives the report function of a job's attempt (from 1).
        log: where each job's start and end go.
    """

    def __init__(self, report_for: ReportForAttempt, log: JobLog) -> None:
        self._report_for = report_for
        self._log = log

    def __call__(self, body: bytes, properties: BasicProperties, redelivered: bool) -> Settlement:
        """Runs the job in `body`. A message that holds none is rejected, which makes it a dead letter;
        a job whose end could not be reported goes back to the queue."""
        try:
            job = Job.model_validate_json(body)
        except ValidationError as error:
            logger.error("message %s is no job: %s", properties.message_id, error)
            return Settlement.REJECT
        logger.info(RECEIVED, {"name": job.kind, "id": job.task_id, "args": job.arguments()})
        attempt = 1 + amqp.delivery_count(properties.headers, redelivered)
        try:
            run_job(job, self._report_for(job, attempt), self._log)
        except ReportFailed as error:
            logger.error("task %d goes back to the queue: %s", job.num, error)
            return Settlement.REQUEUE
        except Skipped:
            return Settlement.ACK
        except Exception as error:
            logger.debug("task %d failed and was reported: %r", job.num, error)
        return Settlement.ACK
