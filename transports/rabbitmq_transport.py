"""Submits jobs as plain AMQP messages, for the hand-written consumer."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar

import pika
from pika.adapters.blocking_connection import BlockingChannel

from lab import amqp
from lab.amqp_job import publish_ahead
from lab.amqp_window import Batch, Window
from lab.delivery import Delivery
from lab.job import Job
from lab.plan import Plan
from lab.settings import Settings
from lab.traffic import Traffic, of_pika
from lab.written_job import Written
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
    takes_written: ClassVar[bool] = True

    def __init__(self, settings: Settings, report_for: ReportFor) -> None:
        super().__init__(settings, report_for)
        self._connection: pika.BlockingConnection | None = None
        self._windows: dict[Delivery, Window] = {}
        self._orders: BlockingChannel | None = None

    def submit(self, jobs: Sequence[Job], delivery: Delivery = Delivery.SAFE) -> Submission:
        return self.begin(jobs, delivery)()

    def begin(self, jobs: Sequence[Job], delivery: Delivery = Delivery.SAFE) -> Callable[[], Submission]:
        return self.begin_written(jobs, delivery)

    def begin_written(
        self, jobs: Sequence[Job | Written], delivery: Delivery = Delivery.SAFE
    ) -> Callable[[], Submission]:
        batch, safe, queue = Batch(), delivery is Delivery.SAFE, delivery.queue(amqp.RABBITMQ_QUEUE)
        try:
            window = self._window(delivery)
            for job in jobs:
                publish_ahead(window, batch, queue, job, safe=safe)
            window.flush()
        except amqp.ERRORS as error:
            submission = self._broken(batch, error)
            return lambda: submission
        urgent = any(isinstance(job, Job) and job.options.priority is not None for job in jobs)
        return partial(self._finish, window, batch, urgent)

    def _finish(self, window: Window, batch: Batch, urgent: bool) -> Submission:
        try:
            window.wait(batch)
            if urgent:
                self._tell({"command": "look"})
        except amqp.ERRORS as error:
            return self._broken(batch, error)
        if batch.refused:
            self.close()  # its queue may have gone, and is declared with the next connection
        return Submission(batch.confirmed, batch.trouble)

    def _broken(self, batch: Batch, error: Exception) -> Submission:
        self.close()
        return Submission(batch.confirmed, f"{type(error).__name__}: {error}")

    def submit_workflow(self, plan: Plan, jobs: Mapping[str, Job], starts: Sequence[str]) -> Submission:
        return self.submit([with_slip(plan, jobs, name) for name in starts])

    def cancel(self, task_ids: Sequence[str]) -> None:
        try:
            for task_id in task_ids:
                self._tell({"command": "cancel", "task_id": task_id})
        except amqp.ERRORS:
            self.close()

    def _tell(self, order: dict[str, str]) -> None:
        if self._orders is None or not self._orders.is_open:
            self._orders = self._channel()
            self._orders.confirm_delivery()
        self._orders.basic_publish(amqp.CONTROL_EXCHANGE, "", json.dumps(order).encode())

    def traffic(self) -> Traffic:
        connection = self._connection
        return Traffic(0, 0, 0, 0) if connection is None else of_pika(connection)

    def keep_alive(self) -> None:
        """Answers the broker's heartbeats; a connection that has died is noticed here, not by a task."""
        if self._connection is not None:
            try:
                self._connection.process_data_events(time_limit=0)
            except amqp.ERRORS:
                self.close()

    def close(self) -> None:
        connection, self._connection, self._windows, self._orders = self._connection, None, {}, None
        if connection is not None and connection.is_open:
            try:
                connection.close()
            except amqp.ERRORS:
                return

    def _window(self, delivery: Delivery) -> Window:
        window = self._windows.get(delivery)
        if window is None or not window.channel.is_open:
            window = Window(self._channel(), confirms=delivery is Delivery.SAFE)
            self._windows[delivery] = window
        return window

    def _channel(self) -> BlockingChannel:
        if self._connection is None or not self._connection.is_open:
            self.close()
            self._connection = pika.BlockingConnection(
                amqp.parameters(self._settings.rmq_url, "transport-lab publisher")
            )
        channel = self._connection.channel()
        amqp.declare_topology(channel)
        return channel
