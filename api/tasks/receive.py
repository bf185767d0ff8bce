"""Receiving by hand: one message by `basic.get`, run in the request.

https://www.rabbitmq.com/docs/consumers#polling says why a consumer is better; the lab shows it.
"""

import time
from collections.abc import Mapping
from typing import Any, Final

import pika
from pika.exceptions import UnroutableError

from lab.broker import amqp
from lab.broker.message import publish, read
from lab.clock import now_us
from lab.job import Job, run
from lab.jobs.context import Context, Report
from lab.jobs.steps import STEPS
from lab.logs import JobLog
from lab.settings import Settings
from lab.status import TaskStatus
from transports import ReportFor

HEARTBEAT_MARGIN_SECONDS: Final = 60


class BrokerAway(Exception):
    """The broker does not answer."""


class QueueGone(Exception):
    """The broker has no queue of that name."""


class ReceiveRefused(Exception):
    """The message is not for a request: it stays in the queue, or goes to the dead letters."""


def receive_one(settings: Settings, report_for: ReportFor, log: JobLog) -> Job | None:
    """Takes the next message of the hand-written transport, runs its job, acknowledges it.

    Args:
        report_for: gives the report function of a job's attempt.

    Returns:
        The job, or None where the queue is empty.

    Raises:
        BrokerAway: the broker does not answer.
        ReceiveRefused: the job takes longer than a request may, or is a workflow's (it is handed back), or
            the message is none (it is rejected, which makes it a dead letter).
    """
    # The job runs on the connection's own thread, so its heartbeat must outlast the longest job.
    heartbeat = int(settings.sync_max_seconds) + HEARTBEAT_MARGIN_SECONDS
    try:
        with amqp.connected(settings.rmq_url, "transport-lab receive", heartbeat=heartbeat) as connection:
            channel = connection.channel()
            amqp.declare_topology(channel)
            method, properties, body = channel.basic_get(amqp.RABBITMQ_QUEUE)
            if method is None or properties is None or body is None:
                return None
            try:
                job = read(body, properties)
            except ValueError as error:
                channel.basic_reject(method.delivery_tag, requeue=False)
                raise ReceiveRefused("the message is no job; it is among the dead letters now") from error
            if job.kind in STEPS:
                channel.basic_reject(method.delivery_tag, requeue=True)
                raise ReceiveRefused(
                    f"task {job.num} is part of a workflow, which takes a worker that sends what follows; it"
                    " went back to the queue"
                )
            seconds = job.params.get("timeout", 0.0)
            if isinstance(seconds, float | int) and seconds > settings.sync_max_seconds:
                channel.basic_reject(method.delivery_tag, requeue=True)
                raise ReceiveRefused(
                    f"task {job.num} takes {seconds:g} seconds, a request at most"
                    f" {settings.sync_max_seconds:g}; it went back to the queue"
                )
            attempt = job.attempt + amqp.delivery_count(properties.headers, method.redelivered)
            channel.confirm_delivery()
            if amqp.delay_seconds(job.options.seconds_left(now_us())):
                publish(channel, amqp.RABBITMQ_QUEUE, job)
                channel.basic_ack(method.delivery_tag)
                raise ReceiveRefused(f"task {job.num} is to begin later; it waits again")
            for following in _run(job, report_for(job, attempt), log, attempt):
                publish(channel, amqp.RABBITMQ_QUEUE, following)
            channel.basic_ack(method.delivery_tag)
            return job
    except amqp.ERRORS as error:
        raise BrokerAway(f"{type(error).__name__}: {error}") from error


def _run(job: Job, report: Report, log: JobLog, attempt: int) -> list[Job]:
    """Runs `job`, in the last second before its time after that; returns what is to run after it."""
    time.sleep(job.options.seconds_left(now_us()))
    if job.options.expired(now_us()):
        report(TaskStatus.CANCELLED, error="expired")
        return []
    # Nobody waits for a second try in a request: the first failure is the last.
    last = job.model_copy(update={"max_retries": 0})
    return run(last, report, log, Context(job.num, attempt, job.time_limit, report)).following(job)


def republish(url: str, queue: str, body: bytes, properties: Mapping[str, Any]) -> None:
    """Puts a message back into `queue`, confirmed, without what its deaths left in its headers.

    Raises:
        QueueGone: there is no such queue any more.
        BrokerAway: the broker does not take it.
    """
    headers = {
        name: value for name, value in (properties.get("headers") or {}).items() if "death" not in name
    }
    kept = {name: properties.get(name) for name in ("content_type", "content_encoding", "message_id", "type")}
    names = ("correlation_id", "reply_to", "delivery_mode", "priority")
    kept |= {name: properties.get(name) for name in names}
    try:
        with amqp.connected(url, "transport-lab requeue") as connection:
            channel = connection.channel()
            amqp.declare_topology(channel)
            channel.confirm_delivery()
            message = pika.BasicProperties(headers=headers or None, **kept)
            channel.basic_publish("", queue, body, message, mandatory=True)
    except UnroutableError as error:
        raise QueueGone(queue) from error
    except amqp.ERRORS as error:
        raise BrokerAway(f"{type(error).__name__}: {error}") from error
