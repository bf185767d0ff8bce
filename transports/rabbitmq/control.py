"""Asks the hand-written workers, over their control exchange: what Celery's `app.control` does, by hand."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar, Final

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic, BasicProperties
from pydantic_core import from_json

from lab.broker import amqp
from lab.delivery import Delivery
from transports.configuration import (
    ALL_DURABLE,
    LATE,
    NONE,
    REPORTS_BEFORE_ACK,
    SAMPLE,
    Configuration,
    redelivery,
    versions,
)
from transports.control import (
    Control,
    ControlError,
    Reply,
    WorkerPicture,
    WorkerUsage,
    read_picture,
    read_usage,
)
from transports.methods import RABBITMQ
from transports.rabbitmq.publisher import WINDOW

# Answers come over no queue at all: https://www.rabbitmq.com/docs/direct-reply-to
REPLY_TO: Final = "amq.rabbitmq.reply-to"
# What a worker by hand does not have: https://docs.celeryq.dev/en/stable/userguide/monitoring.html
NOT_BY_HAND: Final = {"events": NONE, "results": NONE}
RABBITMQ_HEARTBEAT_SECONDS: Final = 60  # what RabbitMQ proposes, and pika takes where nothing is said


class RabbitMQControl(Control):
    """A message to all consumers, and whatever comes back within a while."""

    name: ClassVar[str] = RABBITMQ.name
    label: ClassVar[str] = "RabbitMQ"

    def pictures(self, timeout: float = 1.0) -> list[WorkerPicture]:
        with self._connected() as connection:
            told = _collect(connection, {"command": "picture"}, timeout, None)
            queue = Delivery.NAIVE.queue(amqp.RABBITMQ_QUEUE)
            tutorials = connection.channel().queue_declare(queue, passive=True).method.consumer_count
        found = [read_picture(self.name, reply["name"], {**NOT_BY_HAND, **reply}) for reply, _ in told]
        return found + [tutorial_picture(number) for number in range(1, tutorials + 1)]

    def usage(self, *, enough: int | None = None, timeout: float = 1.0) -> list[WorkerUsage]:
        told = self._ask({"command": "usage"}, timeout, enough)
        return [read_usage(reply["name"], reply) for reply, _ in told]

    def ping(self, timeout: float = 1.0) -> list[Reply]:
        return self._order({"command": "ping"}, timeout)

    def grow(self, worker: str, n: int, timeout: float = 2.0) -> list[Reply]:
        return self._order({"command": "grow", "worker": worker, "n": n}, timeout)

    def shrink(self, worker: str, n: int, timeout: float = 2.0) -> list[Reply]:
        return self._order({"command": "shrink", "worker": worker, "n": n}, timeout)

    def rate_limit(
        self, kind: str, rate: str, worker: str | None = None, timeout: float = 1.0
    ) -> list[Reply]:
        return self._order({"command": "rate_limit", "kind": kind, "rate": rate, "worker": worker}, timeout)

    def configuration(self, delivery: Delivery) -> Configuration:
        safe = delivery is Delivery.SAFE
        properties = pika.BasicProperties(
            content_type="application/json",
            delivery_mode=2,
            message_id=SAMPLE.task_id,
            type=SAMPLE.kind,
        )
        return Configuration(
            acknowledgement=LATE,
            confirms=f"{WINDOW} at once" if safe else NONE,
            durability=ALL_DURABLE,
            queue_type=str(amqp.queue_arguments(amqp.RABBITMQ_QUEUE, delivery)["x-queue-type"]),
            redelivery=redelivery(amqp.RABBITMQ_QUEUE, delivery),
            retries="published again, then acknowledged" if safe else NONE,
            time_limits="its thread is left to itself" if safe else NONE,
            reports=REPORTS_BEFORE_ACK,
            serialisation="JSON",
            message_bytes=len(SAMPLE.to_json()) + sum(map(len, properties.encode())),
            versions=versions("pika"),
        )

    def _order(self, order: dict[str, Any], timeout: float) -> list[Reply]:
        return [
            Reply(reply["name"], seconds, None if reply.get("ok") else str(reply.get("error")))
            for reply, seconds in self._ask(order, timeout)
        ]

    def _ask(
        self, order: dict[str, Any], timeout: float, enough: int | None = None
    ) -> list[tuple[dict[str, Any], float]]:
        """The answers to `order`, each with the seconds that it took. Each question has a connection of
        its own: one that is kept may have died unnoticed since the last."""
        with self._connected() as connection:
            return _collect(connection, order, timeout, 1 if order.get("worker") else enough)

    @contextmanager
    def _connected(self) -> Iterator[pika.BlockingConnection]:
        connection = None
        try:
            connection = pika.BlockingConnection(
                amqp.parameters(self._settings.rmq_url, "transport-lab control")
            )
            yield connection
        except amqp.ERRORS as error:
            raise ControlError(f"{type(error).__name__}: {error}") from error
        finally:
            if connection is not None and connection.is_open:
                with suppress(*amqp.ERRORS):
                    connection.close()


def tutorial_picture(number: int) -> WorkerPicture:
    """The `number`-th worker by the tutorial: nobody can ask it anything, the broker only counts it."""
    return WorkerPicture(
        method=RabbitMQControl.name,
        name=f"tutorial-{number}",
        delivery=Delivery.NAIVE.value,
        concurrency=1,
        prefetch=1,
        pool="process",
        pool_class="callback (consumer.tutorial)",
        consumer_class="pika.BlockingConnection, consumer.tutorial",
        acknowledgement="after_job",
        connections=1,
        heartbeat=RABBITMQ_HEARTBEAT_SECONDS,
        **NOT_BY_HAND,
    )


def _collect(
    connection: pika.BlockingConnection, order: dict[str, Any], timeout: float, enough: int | None
) -> list[tuple[dict[str, Any], float]]:
    channel = connection.channel()
    amqp.declare_topology(channel)
    answers: list[tuple[dict[str, Any], float]] = []
    sent = 0.0

    def on_reply(_c: BlockingChannel, _m: Basic.Deliver, _p: BasicProperties, body: bytes) -> None:
        try:
            reply = from_json(body)
        except ValueError:
            return
        if isinstance(reply, dict) and isinstance(reply.get("name"), str):
            answers.append((reply, time.monotonic() - sent))

    channel.basic_consume(REPLY_TO, on_reply, auto_ack=True)
    sent = time.monotonic()
    channel.basic_publish(
        exchange=amqp.CONTROL_EXCHANGE,
        routing_key="",
        body=json.dumps(order).encode(),
        properties=pika.BasicProperties(content_type="application/json", reply_to=REPLY_TO),
    )
    while (left := sent + timeout - time.monotonic()) > 0 and (enough is None or len(answers) < enough):
        connection.process_data_events(time_limit=left)
    return answers
