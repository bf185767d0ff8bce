"""Submits jobs as plain AMQP messages, for the hand-written consumer."""

import json
from collections.abc import Mapping, Sequence
from typing import ClassVar

import pika
from pika.adapters.blocking_connection import BlockingChannel

from lab import amqp
from lab.amqp_job import publish
from lab.delivery import Delivery
from lab.job import Job
from lab.plan import Plan
from lab.settings import Settings
from transports.base import ReportFor, Submission, Transport
from transports.rabbitmq_workflow import with_slip


class RabbitMQTransport(Transport):
    """pika straight to the broker. Safe messages are persistent, mandatory and confirmed, naive ones are
    none of it.

    https://www.rabbitmq.com/docs/confirms, https://www.rabbitmq.com/docs/publishers#unroutable
    """

    name: ClassVar[str] = "rabbitmq"
    label: ClassVar[str] = "RabbitMQ"
    queue: ClassVar[str | None] = amqp.RABBITMQ_QUEUE

    def __init__(self, settings: Settings, report_for: ReportFor) -> None:
        super().__init__(settings, report_for)
        self._connection: pika.BlockingConnection | None = None
        self._channels: dict[Delivery, BlockingChannel] = {}

    def submit(self, jobs: Sequence[Job], delivery: Delivery = Delivery.SAFE) -> Submission:
        confirmed: set[str] = set()
        safe = delivery is Delivery.SAFE
        try:
            channel = self._channel(delivery)
            for job in jobs:
                publish(channel, delivery.queue(amqp.RABBITMQ_QUEUE), job, safe=safe)
                confirmed.add(job.task_id)
            if any(job.options.priority is not None for job in jobs):
                self._tell(channel, {"command": "look"})
        except amqp.ERRORS as error:
            self.close()
            return Submission(frozenset(confirmed), f"{type(error).__name__}: {error}")
        return Submission(frozenset(confirmed))

    def submit_workflow(self, plan: Plan, jobs: Mapping[str, Job], starts: Sequence[str]) -> Submission:
        return self.submit([with_slip(plan, jobs, name) for name in starts])

    def cancel(self, task_ids: Sequence[str]) -> None:
        try:
            channel = self._channel(Delivery.SAFE)
            for task_id in task_ids:
                self._tell(channel, {"command": "cancel", "task_id": task_id})
        except amqp.ERRORS:
            self.close()

    def _tell(self, channel: BlockingChannel, order: dict[str, str]) -> None:
        channel.basic_publish(amqp.CONTROL_EXCHANGE, "", json.dumps(order).encode())

    def keep_alive(self) -> None:
        """Answers the broker's heartbeats; a connection that has died is noticed here, not by a task."""
        if self._connection is not None:
            try:
                self._connection.process_data_events(time_limit=0)
            except amqp.ERRORS:
                self.close()

    def close(self) -> None:
        connection, self._connection, self._channels = self._connection, None, {}
        if connection is not None and connection.is_open:
            try:
                connection.close()
            except amqp.ERRORS:
                return

    def _channel(self, delivery: Delivery) -> BlockingChannel:
        channel = self._channels.get(delivery)
        if channel is not None and channel.is_open:
            return channel
        if self._connection is None or not self._connection.is_open:
            self.close()
            self._connection = pika.BlockingConnection(
                amqp.parameters(self._settings.rmq_url, "transport-lab publisher")
            )
        channel = self._channels[delivery] = self._connection.channel()
        amqp.declare_topology(channel)
        if delivery is Delivery.SAFE:
            channel.confirm_delivery()
        return channel
