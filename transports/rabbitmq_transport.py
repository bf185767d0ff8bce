"""Submits jobs as plain AMQP messages, for the hand-written consumer."""

from collections.abc import Sequence
from typing import ClassVar

import pika
from pika.adapters.blocking_connection import BlockingChannel

from lab import amqp
from lab.job import Job
from lab.settings import Settings
from transports.base import ReportFor, Submission, Transport

PERSISTENT = pika.DeliveryMode.Persistent.value


class RabbitMQTransport(Transport):
    """pika straight to the broker, each message confirmed and mandatory.

    https://www.rabbitmq.com/docs/confirms, https://www.rabbitmq.com/docs/publishers#unroutable
    """

    name: ClassVar[str] = "rabbitmq"
    label: ClassVar[str] = "RabbitMQ"
    queue: ClassVar[str | None] = amqp.RABBITMQ_QUEUE

    def __init__(self, settings: Settings, report_for: ReportFor) -> None:
        super().__init__(settings, report_for)
        self._connection: pika.BlockingConnection | None = None
        self._channel: BlockingChannel | None = None

    def submit(self, jobs: Sequence[Job]) -> Submission:
        confirmed: set[str] = set()
        try:
            channel = self._open_channel()
            for job in jobs:
                channel.basic_publish(
                    exchange="",
                    routing_key=amqp.RABBITMQ_QUEUE,
                    body=job.model_dump_json().encode(),
                    properties=pika.BasicProperties(
                        content_type="application/json",
                        delivery_mode=PERSISTENT,
                        message_id=job.task_id,
                        type=job.kind,
                    ),
                    mandatory=True,
                )
                confirmed.add(job.task_id)
        except amqp.ERRORS as error:
            self.close()
            return Submission(frozenset(confirmed), f"{type(error).__name__}: {error}")
        return Submission(frozenset(confirmed))

    def keep_alive(self) -> None:
        """Answers the broker's heartbeats; a connection that has died is noticed here, not by a task."""
        if self._connection is not None:
            try:
                self._connection.process_data_events(time_limit=0)
            except amqp.ERRORS:
                self.close()

    def close(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None and connection.is_open:
            try:
                connection.close()
            except amqp.ERRORS:
                return

    def _open_channel(self) -> BlockingChannel:
        if self._channel is None or not self._channel.is_open:
            self.close()
            self._connection = pika.BlockingConnection(
                amqp.parameters(self._settings.rmq_url, "transport-lab publisher")
            )
            self._channel = self._connection.channel()
            amqp.declare_topology(self._channel)
            self._channel.confirm_delivery()
        return self._channel
