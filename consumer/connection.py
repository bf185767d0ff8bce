"""The connection of the hand-written worker: it alone speaks AMQP, from one thread.

pika's BlockingConnection belongs to the thread that runs it, so jobs run in threads of their own and
hand their settlements over. https://pika.readthedocs.io/en/stable/faq.html
"""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic, BasicProperties

from consumer.handler import Handler, Settlement
from lab import amqp

FIRST_WAIT_SECONDS: Final = 0.2
LONGEST_WAIT_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Delivery:
    connection: pika.BlockingConnection
    channel: BlockingChannel
    tag: int
    redelivered: bool
    properties: BasicProperties
    body: bytes


class Consumer:
    """Consumes the lab's queue with `concurrency` jobs at once, over any number of connections.

    Args:
        url: the broker's AMQP URL.
        handler: runs one message's job; called in threads.
        concurrency: jobs at once; also the prefetch, so that no message waits here for a thread.
        grace_seconds: how long `stop` waits for running jobs before it hands them back.
        alive: called about twice a second while the connection is served; for health checks.
    """

    def __init__(
        self,
        url: str,
        handler: Handler,
        concurrency: int,
        grace_seconds: float,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._url = url
        self._handler = handler
        self._concurrency = concurrency
        self._grace_seconds = grace_seconds
        self._alive = alive
        self._work: queue.SimpleQueue[_Delivery] = queue.SimpleQueue()
        self._unsettled = 0
        self._stopping = threading.Event()
        self._deadline: float | None = None

    def stop(self) -> None:
        """Takes no more messages and ends when the running jobs have, at the latest after the grace
        period. A second call hands back at once. May be called from a signal handler."""
        wait = 0.0 if self._stopping.is_set() else self._grace_seconds
        self._deadline = time.monotonic() + wait
        self._stopping.set()

    def run(self) -> None:
        """Consumes until `stop`; connects again, with growing jittered waits, whenever the broker goes."""
        for number in range(self._concurrency):
            threading.Thread(target=self._run_jobs, name=f"job {number}", daemon=True).start()
        wait = FIRST_WAIT_SECONDS
        while not self._stopping.is_set():
            try:
                connection = pika.BlockingConnection(amqp.parameters(self._url, "transport-lab consumer"))
                wait = FIRST_WAIT_SECONDS
                self._consume(connection)
            except amqp.ERRORS as error:
                logger.warning("the broker is away: %s: %s", type(error).__name__, error)
                self._stopping.wait(wait * random.uniform(0.5, 1.5))
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    def _consume(self, connection: pika.BlockingConnection) -> None:
        self._unsettled = 0
        try:
            channel = connection.channel()
            amqp.declare_topology(channel)
            channel.basic_qos(prefetch_count=self._concurrency)
            tag = channel.basic_consume(amqp.RABBITMQ_QUEUE, partial(self._on_message, connection))
            logger.info("waiting for tasks in %s, %d at once", amqp.RABBITMQ_QUEUE, self._concurrency)
            # process_data_events can miss a closed channel: https://github.com/pika/pika/issues/1452
            while not self._stopping.is_set() and channel.is_open:
                self._alive()
                connection.process_data_events(time_limit=0.5)
            if self._stopping.is_set() and channel.is_open:
                self._finish(connection, channel, tag)
        finally:
            if connection.is_open:
                connection.close()

    def _finish(self, connection: pika.BlockingConnection, channel: BlockingChannel, tag: str) -> None:
        channel.basic_cancel(tag)
        while self._unsettled and channel.is_open and time.monotonic() < (self._deadline or 0.0):
            connection.process_data_events(time_limit=0.1)
        if self._unsettled:
            logger.warning("%d unfinished tasks go back to the queue", self._unsettled)

    def _on_message(
        self,
        connection: pika.BlockingConnection,
        channel: BlockingChannel,
        method: Basic.Deliver,
        properties: BasicProperties,
        body: bytes,
    ) -> None:
        self._unsettled += 1
        self._work.put(
            _Delivery(connection, channel, method.delivery_tag, method.redelivered, properties, body)
        )

    def _run_jobs(self) -> None:
        while True:
            delivery = self._work.get()
            if not delivery.channel.is_open:
                continue  # the broker has given this message to somebody else already
            try:
                settlement = self._handler(delivery.body, delivery.properties, delivery.redelivered)
            except Exception:
                logger.exception("handler")
                settlement = Settlement.REQUEUE
            try:
                delivery.connection.add_callback_threadsafe(partial(self._settle, delivery, settlement))
            except amqp.ERRORS as error:
                logger.warning("a task ended after its connection, and will be delivered again: %s", error)

    def _settle(self, delivery: _Delivery, settlement: Settlement) -> None:
        """Runs on the connection's own thread."""
        self._unsettled -= 1
        channel: Any = delivery.channel
        if not channel.is_open:
            return
        if settlement is Settlement.ACK:
            channel.basic_ack(delivery.tag)
        else:
            channel.basic_reject(delivery.tag, requeue=settlement is Settlement.REQUEUE)
