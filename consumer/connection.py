"""The connection of the hand-written worker: it alone speaks AMQP, from one thread.

pika's BlockingConnection belongs to the thread that runs it, so jobs run in threads of their own and
hand their settlements over. https://pika.readthedocs.io/en/stable/faq.html
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic, BasicProperties

from consumer.handler import Action, Handler, Settlement
from consumer.runner import Runner
from lab import amqp
from lab.delivery import Delivery
from lab.job import Job

FIRST_WAIT_SECONDS: Final = 0.2
LONGEST_WAIT_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)


@dataclass
class _Session:
    """One connection with its channels, and how many of its messages are not settled yet."""

    connection: pika.BlockingConnection
    channel: BlockingChannel
    retries: BlockingChannel
    unsettled: int = 0


class Consumer:
    """Consumes the lab's queue with `concurrency` jobs at once, over any number of connections.

    Args:
        url: the broker's AMQP URL.
        delivery: safe acknowledges a message after its job; naive lets the broker forget it on arrival.
        handler: reads messages.
        runner: runs their jobs in threads; its concurrency is also the prefetch, so that no message
            waits here for a thread.
        on_control: called with the body of each message of the control exchange.
        grace_seconds: how long `stop` waits for running jobs before it hands them back.
        alive: called about twice a second while the connection is served; for health checks.
    """

    def __init__(
        self,
        url: str,
        delivery: Delivery,
        handler: Handler,
        runner: Runner,
        on_control: Callable[[bytes], None],
        grace_seconds: float,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._url = url
        self._delivery = delivery
        self._queue = delivery.queue(amqp.RABBITMQ_QUEUE)
        self._handler = handler
        self._runner = runner
        self._on_control = on_control
        self._grace_seconds = grace_seconds
        self._alive = alive
        self._stopping = threading.Event()
        self._deadline = 0.0

    def stop(self) -> None:
        """Takes no more messages and ends when the running jobs have, at the latest after the grace
        period. A second call hands back at once. May be called from a signal handler."""
        wait = 0.0 if self._stopping.is_set() else self._grace_seconds
        self._deadline = time.monotonic() + wait
        self._stopping.set()

    def run(self) -> None:
        """Consumes until `stop`; connects again, with growing jittered waits, whenever the broker goes."""
        wait = FIRST_WAIT_SECONDS
        while not self._stopping.is_set():
            try:
                connection = pika.BlockingConnection(amqp.parameters(self._url, "transport-lab consumer"))
                wait = FIRST_WAIT_SECONDS
                self._serve(connection)
            except amqp.ERRORS as error:
                logger.warning("the broker is away: %s: %s", type(error).__name__, error)
                self._stopping.wait(wait * random.uniform(0.5, 1.5))
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    def _serve(self, connection: pika.BlockingConnection) -> None:
        try:
            session = _Session(connection, connection.channel(), connection.channel())
            session.retries.confirm_delivery()
            tag = self._subscribe(session)
            logger.info("waiting for tasks in %s, %d at once", self._queue, self._runner.concurrency)
            # process_data_events can miss a closed channel: https://github.com/pika/pika/issues/1452
            while not self._stopping.is_set() and session.channel.is_open:
                self._alive()
                self._runner.give_up_overdue()
                connection.process_data_events(time_limit=0.5)
            if self._stopping.is_set() and session.channel.is_open:
                self._finish(session, tag)
        finally:
            if connection.is_open:
                connection.close()

    def _subscribe(self, session: _Session) -> str:
        channel = session.channel
        amqp.declare_topology(channel)
        control: str = channel.queue_declare("", exclusive=True, auto_delete=True).method.queue
        channel.queue_bind(control, amqp.CONTROL_EXCHANGE)
        channel.basic_consume(control, lambda *message: self._on_control(message[3]), auto_ack=True)
        naive = self._delivery is Delivery.NAIVE
        if not naive:
            channel.basic_qos(prefetch_count=self._runner.concurrency)
        tag: str = channel.basic_consume(self._queue, partial(self._on_message, session), auto_ack=naive)
        return tag

    def _finish(self, session: _Session, tag: str) -> None:
        session.channel.basic_cancel(tag)
        while session.unsettled and session.channel.is_open and time.monotonic() < self._deadline:
            session.connection.process_data_events(time_limit=0.1)
        if session.unsettled:
            logger.warning("%d unfinished tasks go back to the queue", session.unsettled)

    def _on_message(
        self,
        session: _Session,
        channel: BlockingChannel,
        method: Basic.Deliver,
        properties: BasicProperties,
        body: bytes,
    ) -> None:
        session.unsettled += 1
        settle = partial(self._settle, session, method.delivery_tag)
        run = self._handler.read(body, properties, method.redelivered)
        if run is None:
            settle(Settlement(Action.REJECT))
            return

        def hand_over(settlement: Settlement) -> None:
            try:
                session.connection.add_callback_threadsafe(partial(settle, settlement))
            except amqp.ERRORS as error:
                logger.warning("a task ended after its connection, and will be delivered again: %s", error)

        # A message that waited here while its connection went has been given to somebody else.
        self._runner.submit(run, hand_over, lambda: channel.is_open)

    def _settle(self, session: _Session, tag: int, settlement: Settlement) -> None:
        """Runs on the connection's own thread."""
        session.unsettled -= 1
        if not session.channel.is_open:
            return
        if settlement.again is not None:
            self._publish_again(session, settlement.again, settlement.seconds)
        if self._delivery is Delivery.NAIVE:
            return  # the broker forgot the message when it sent it
        if settlement.action in (Action.ACK, Action.RETRY):
            session.channel.basic_ack(tag)
        else:
            session.channel.basic_reject(tag, requeue=settlement.action is Action.REQUEUE)

    def _publish_again(self, session: _Session, job: Job, seconds: float) -> None:
        """Publishes `job` for later, and returns once the broker has it: only then may the message that
        it came in be acknowledged."""
        queue = amqp.declare_retry_queue(session.retries, self._queue, job.retries - 1)
        session.retries.basic_publish(
            exchange="",
            routing_key=queue,
            body=job.model_dump_json().encode(),
            properties=pika.BasicProperties(
                content_type="application/json",
                delivery_mode=pika.DeliveryMode.Persistent.value,
                message_id=job.task_id,
                type=job.kind,
                expiration=str(max(1, int(seconds * 1000))),
            ),
            mandatory=True,
        )
