"""Submits jobs as plain AMQP messages, for the hand-written consumer."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import ClassVar, Final

import pika
from pika.adapters.blocking_connection import BlockingChannel

from lab.broker import amqp
from lab.broker.message import publish
from lab.clock import now_us
from lab.delivery import Delivery
from lab.job import Job
from lab.plan import WorkflowPlan
from lab.settings import Settings
from transports.base import ReportFor, SendError, Submission, Transport
from transports.methods import RABBITMQ
from transports.rabbitmq.publisher import Batch, Publisher
from transports.rabbitmq.workflow import with_slip

IDLE_SECONDS: Final = 1.0


class RabbitMQTransport(Transport):
    """pika straight to the broker. Messages are persistent; safe ones are mandatory and confirmed as well."""

    name: ClassVar[str] = RABBITMQ.name
    label: ClassVar[str] = "RabbitMQ"
    queue: ClassVar[str] = amqp.RABBITMQ_QUEUE

    def __init__(self, settings: Settings, report_for: ReportFor) -> None:
        super().__init__(settings, report_for)
        self._publisher: Publisher | None = None
        # For `send`:
        self._connection: pika.BlockingConnection | None = None
        self._channels: dict[Delivery, BlockingChannel] = {}
        self._used = 0.0

    def submit(self, jobs: Sequence[Job], delivery: Delivery = Delivery.SAFE) -> Submission:
        return self.begin(jobs, delivery)()

    def begin(self, jobs: Sequence[Job], delivery: Delivery = Delivery.SAFE) -> Callable[[], Submission]:
        queue, safe = delivery.queue(self.queue), delivery is Delivery.SAFE
        try:
            publisher = self._connected()
            batch = publisher.begin(queue, jobs, safe=safe)
        except amqp.ERRORS as error:
            submission = Submission(error=f"{type(error).__name__}: {error}")
            return lambda: submission
        return partial(self._finish, publisher, batch)

    def _finish(self, publisher: Publisher, batch: Batch) -> Submission:
        publisher.wait(batch)
        if batch.refused:
            publisher.declare()  # its queue may have gone
        return Submission(batch.confirmed, batch.trouble, batch.unsendable)

    def submit_workflow(
        self, plan: WorkflowPlan, jobs: Mapping[str, Job], starts: Sequence[str]
    ) -> Submission:
        return self.submit([with_slip(plan, jobs, name) for name in starts])

    def send(self, job: Job, delivery: Delivery = Delivery.SAFE) -> int:
        if time.monotonic() - self._used > IDLE_SECONDS:
            self.keep_alive()
        self._used = time.monotonic()
        try:
            channel = self._channels.get(delivery) or self._channel(delivery)
            written_us = now_us()
            publish(channel, delivery.queue(self.queue), job, safe=delivery is Delivery.SAFE)
        except amqp.ERRORS as error:
            self._disconnect()
            raise SendError(f"{type(error).__name__}: {error}") from error
        return written_us

    def cancel(self, task_ids: Sequence[str]) -> None:
        with suppress(*amqp.ERRORS):
            publisher = self._connected()
            for task_id in task_ids:
                publisher.tell({"command": "cancel", "task_id": task_id})

    def keep_alive(self) -> None:
        """Answers the broker's heartbeats on the connection of `send`; that of `submit` has a thread for it."""
        if self._connection is not None:
            try:
                self._connection.process_data_events(time_limit=0)
            except amqp.ERRORS:
                self._disconnect()

    def close(self) -> None:
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            publisher.close()
        self._disconnect()

    def _connected(self) -> Publisher:
        if self._publisher is None or not self._publisher.is_open:
            self._publisher = Publisher(self._settings.rmq_url)
        return self._publisher

    def _channel(self, delivery: Delivery) -> BlockingChannel:
        if self._connection is None:
            parameters = amqp.parameters(self._settings.rmq_url, "transport-lab sender")
            self._connection = pika.BlockingConnection(parameters)
        channel = self._channels[delivery] = self._connection.channel()
        amqp.declare_topology(channel)
        if delivery is Delivery.SAFE:
            channel.confirm_delivery()
        return channel

    def _disconnect(self) -> None:
        connection, self._connection, self._channels = self._connection, None, {}
        if connection is not None and connection.is_open:
            with suppress(*amqp.ERRORS):
                connection.close()
