"""The hand-written worker's connection to the broker, from one thread.

pika's BlockingConnection belongs to the thread that runs it, so jobs run in threads of their own and hand their
settlements over. https://pika.readthedocs.io/en/stable/faq.html
"""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic, BasicProperties

from consumer.jobs import Action, Jobs
from lab.broker import amqp
from lab.broker.message import publish
from lab.broker.witness import Witness
from lab.job import Job

QUEUE: Final = amqp.RABBITMQ_QUEUE
FIRST_WAIT_SECONDS: Final = 0.2
LONGEST_WAIT_SECONDS: Final = 5.0
TURN_SECONDS: Final = 0.25

logger = logging.getLogger(__name__)


class Acks:
    """Which messages of a channel may be acknowledged, gathered into as few acknowledgements as possible. Used from
    one thread. https://www.rabbitmq.com/docs/confirms#consumer-acks-multiple-parameter"""

    def __init__(self) -> None:
        self._order: deque[int] = deque()
        self._open: set[int] = set()
        self._done: set[int] = set()

    def add(self, tag: int) -> None:
        """A message came."""
        self._order.append(tag)
        self._open.add(tag)

    def drop(self, tag: int) -> None:
        """It was rejected."""
        self._open.discard(tag)

    def done(self, tag: int) -> None:
        """It may be acknowledged."""
        self._open.discard(tag)
        self._done.add(tag)

    def take(self) -> list[tuple[int, bool]]:
        """The tags to acknowledge now, each alone or with all before it (`multiple`)."""
        last, count = 0, 0
        while self._order and self._order[0] not in self._open:
            tag = self._order.popleft()
            if tag in self._done:
                self._done.remove(tag)
                last, count = tag, count + 1
        found = [(last, count > 1)] if count else []
        # Behind one that takes longer: they are not to wait for it.
        found += [(tag, False) for tag in sorted(self._done)]
        self._done.clear()
        return found

    def __len__(self) -> int:
        """How many messages are neither done nor dropped."""
        return len(self._open)


class Session:
    """One connection: what comes over it, and how it is settled. Belongs to the connection's thread."""

    def __init__(self, connection: pika.BlockingConnection, jobs: Jobs) -> None:
        self.connection = connection
        self.channel, self._publisher = connection.channel(), connection.channel()
        self._publisher.confirm_delivery()
        self.channel.add_on_cancel_callback(self._on_cancel)
        self._jobs = jobs
        self.acks = Acks()
        self._settled: deque[tuple[int, Action, Sequence[Job]]] = deque()
        self._woken = False
        self._tags: list[str] = []
        self.threads = 0

    def consume(self, prefetch: int) -> None:
        """Consumes both queues; again whenever the number of threads changed: basic.qos applies to later consumers
        only. Those are not charged with what is held already. https://www.rabbitmq.com/docs/consumer-prefetch"""
        self.cancel()
        self.threads = self._jobs.concurrency + self._jobs.hold.crowd()
        # One urgent job more than run at once: else an ordinary one would begin while the next is on its way.
        for queue, count in ((QUEUE, prefetch), (amqp.priority_queue(QUEUE), self.threads + 1)):
            self.channel.basic_qos(prefetch_count=count)
            self._tags.append(self.channel.basic_consume(queue, self._on_message))

    def cancel(self) -> None:
        """Takes no more messages."""
        while self._tags:
            self.channel.basic_cancel(self._tags.pop())

    def _on_message(
        self, channel: BlockingChannel, method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        self.acks.add(method.delivery_tag)
        settle = partial(self._settle, method.delivery_tag)
        # A message that waited here while its connection was lost has been given to another worker.
        self._jobs.take(body, properties, method.redelivered, settle, lambda: channel.is_open)

    def _on_cancel(self, frame: pika.frame.Method[Basic.Cancel]) -> None:
        # Its queue was deleted, or, from RabbitMQ 4.3 on, it acknowledged too late: the next connection consumes again.
        logger.warning("the broker has cancelled the consumer %s", frame.method.consumer_tag)
        self.channel.close()

    def _settle(self, tag: int, action: Action, following: Sequence[Job]) -> None:
        """Hands a settlement over to the connection's thread; may be called from any other."""
        self._settled.append((tag, action, following))
        if self._woken:
            return
        self._woken = True
        try:
            self.connection.add_callback_threadsafe(self._settle_all)
        except amqp.ERRORS as error:
            logger.warning("a task ended after its connection, and will be delivered again: %s", error)

    def _settle_all(self) -> None:
        """Settles all that was handed over. The broker confirms the jobs that follow before the message is
        acknowledged."""
        self._woken = False  # before the first is taken out: a later one wakes again
        while self._settled and self.channel.is_open:
            tag, action, following = self._settled.popleft()
            for job in following:
                publish(self._publisher, QUEUE, job, now=self._jobs.now_us())
            if action is Action.ACK:
                self.acks.done(tag)
            else:
                self.acks.drop(tag)
                self.channel.basic_reject(tag, requeue=action is Action.REQUEUE)
        if self.channel.is_open:
            for tag, multiple in self.acks.take():
                self.channel.basic_ack(tag, multiple)


@dataclass
class Worker:
    """Consumes the lab's queue and the priority queue beside it, over one connection after the other.

    Attributes:
        listen: called with the channel of each new connection, to consume more on it.
        grace_seconds: how long `stop` waits for running jobs before it hands them back.
        alive: called at least four times a second while the connection is served; for health checks.
        least_prefetch: how many messages it holds at least; never fewer than there are threads.
    """

    url: str
    jobs: Jobs
    listen: Callable[[BlockingChannel], object]
    grace_seconds: float
    alive: Callable[[], object] = lambda: None
    least_prefetch: int = 0
    name: str = "consumer"
    connection: pika.BlockingConnection | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)
    _deadline: float = 0.0

    @property
    def prefetch(self) -> int:
        """How many messages the broker sends ahead of their acknowledgement."""
        return max(self.least_prefetch, self.jobs.concurrency) + self.jobs.hold.crowd()

    def stop(self) -> None:
        """Takes no more messages and ends when the running jobs have, at the latest after the grace period. A
        second call hands back at once. May be called from a signal handler."""
        self._deadline = time.monotonic() + (0.0 if self._stopping.is_set() else self.grace_seconds)
        self._stopping.set()

    def run(self) -> None:
        """Consumes until `stop`; connects again, after growing jittered waits, whenever the connection is lost."""
        wait = FIRST_WAIT_SECONDS
        while not self._stopping.is_set():
            try:
                parameters = amqp.parameters(self.url, "transport-lab consumer")
                with pika.BlockingConnection(parameters) as self.connection:
                    wait = FIRST_WAIT_SECONDS
                    self._serve(Session(self.connection, self.jobs))
            except amqp.ERRORS as error:
                logger.warning("consuming is interrupted: %r", error)
                self._stopping.wait(wait * random.uniform(0.5, 1.5))
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    def _serve(self, session: Session) -> None:
        channel = session.channel
        amqp.declare_topology(channel)
        self.listen(channel)
        witness = Witness(channel, self.name, (QUEUE, amqp.priority_queue(QUEUE)))
        session.consume(self.prefetch)
        logger.info("waiting for tasks in %s, %d at once", QUEUE, session.threads)
        # process_data_events can miss a closed channel: https://github.com/pika/pika/issues/1452
        while channel.is_open and not self._stopping.is_set():
            self.alive()
            session.connection.process_data_events(time_limit=TURN_SECONDS)
            witness.look()  # fails where a queue was deleted: the next connection declares it again
            if channel.is_open and session.threads != self.jobs.concurrency + self.jobs.hold.crowd():
                session.consume(self.prefetch)
        if channel.is_open:
            self._finish(session)
            witness.end()

    def _finish(self, session: Session) -> None:
        session.cancel()
        self.jobs.hand_back()
        while session.acks and session.channel.is_open and time.monotonic() < self._deadline:
            session.connection.process_data_events(time_limit=0.1)
        if session.acks:
            logger.warning("%d unfinished tasks go back to the queue", len(session.acks))
