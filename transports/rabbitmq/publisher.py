"""Publishes jobs ahead of the broker's confirms, over an asynchronous connection in a thread of its own.

A blocking channel waits for the confirm of each message. Here up to a thousand are under way, and what the broker
says of them is taken as it comes.
https://www.rabbitmq.com/docs/confirms#publisher-confirms,
https://pika.readthedocs.io/en/stable/examples/asynchronous_publisher_example.html
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import takewhile
from typing import Any, Final

import pika
from pika import spec
from pika.exceptions import AMQPError

from lab.broker import amqp
from lab.broker.message import publish
from lab.clock import now_us
from lab.job import Job

WINDOW: Final = 1_000  # messages without a confirm at most
CONNECT_SECONDS: Final = 15.0
CONFIRM_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 5.0

REFUSED: Final = "the broker has refused it"


class NoAnswer(AMQPError):  # type: ignore[misc]
    """The broker has not answered in time."""


class Batch:
    """Jobs that are published together, and what has become of each.

    Attributes:
        confirmed: ids of those that the broker has, each with when it was written (microseconds since the epoch).
        refused: ids of those that it did not take, or that no queue took, and why.
        unsendable: ids of those that no broker can be sent, and why.
        error: why nothing more will be known of the others; None while that is not so.
    """

    def __init__(self, queue: str, safe: bool, count: int) -> None:
        self.confirmed: dict[str, int] = {}
        self.refused: dict[str, str] = {}
        self.unsendable: dict[str, str] = {}
        self.error: str | None = None
        self.queue, self.safe, self.left = queue, safe, count
        self.ended = threading.Event()
        if not count:
            self.ended.set()

    @property
    def trouble(self) -> str | None:
        """What is wrong with those that are not confirmed; None where all are."""
        if self.error is not None or not self.refused:
            return self.error
        task_id, reason = next(iter(self.refused.items()))
        return f"{len(self.refused)} messages were not taken; {task_id}: {reason}"

    def settle(self, among: dict[str, Any], task_id: str, told: int | str) -> None:
        """Notes that this job is `among` the confirmed, refused or unsendable ones."""
        among[task_id] = told
        self.left -= 1
        if not self.left:
            self.ended.set()


class Publisher:
    """One connection with a channel in confirm mode, for safe messages, and one without confirms.

    Connects and declares the lab's queues when it is made. One that has lost its connection stays closed: what
    was under way stays unconfirmed. The thread answers heartbeats. Methods are called from other threads.

    Raises:
        lab.broker.amqp.ERRORS: the broker is away, or has not answered within 15 seconds.
    """

    def __init__(self, url: str, window: int = WINDOW) -> None:
        self._window = window
        self._unsent: deque[tuple[Batch, Job]] = deque()
        self._awaited: dict[int, tuple[Batch, str, int]] = {}  # by delivery tag, in ascending order
        self._last_tag = 0
        self._returned: dict[str, str] = {}
        self._lock = threading.Lock()  # of the next two, which callers see
        self._batches: list[Batch] = []
        self._error: BaseException | None = None
        self._reason: BaseException | None = None
        self._ready = threading.Event()
        self._heard = 0.0
        self._connection = pika.SelectConnection(
            amqp.parameters(url, "transport-lab publisher"),
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_closed,
            on_close_callback=self._on_closed,
        )
        self._thread = threading.Thread(target=self._run, name="rabbitmq publisher", daemon=True)
        self._thread.start()
        if not self._ready.wait(CONNECT_SECONDS):
            self.close()
            raise NoAnswer(f"the broker has not opened a channel within {CONNECT_SECONDS:g} seconds")
        if self._error is not None:
            raise self._error

    @property
    def is_open(self) -> bool:
        """Whether it can be used, as far as is known here."""
        return self._error is None

    def begin(self, queue: str, jobs: Sequence[Job], *, safe: bool = True) -> Batch:
        """Hands `jobs` over for the consumers of `queue`, in order. Those that are not `safe` count as confirmed
        when they were handed to pika. Raises as the constructor does."""
        batch = Batch(queue, safe, len(jobs))
        with self._lock:
            if self._error is not None:
                raise self._error
            self._batches = [one for one in self._batches if not one.ended.is_set()] + [batch]
        self._heard = time.monotonic()
        self._call(partial(self._take, batch, jobs))
        return batch

    def wait(self, batch: Batch) -> None:
        """Returns when the broker has said something of each job of `batch`, or when `batch.error` says why it
        does not: the connection has ended, or there was no confirm for ten seconds."""
        while not batch.ended.wait(max(0.0, self._heard + CONFIRM_SECONDS - time.monotonic())):
            if time.monotonic() >= self._heard + CONFIRM_SECONDS:
                batch.error = f"the broker has confirmed nothing for {CONFIRM_SECONDS:g} seconds"
                self.close()
                return

    def declare(self) -> None:
        """Declares the lab's queues again: one may have been deleted meanwhile."""
        self._call(lambda: amqp.declare_topology(self._safe))

    def tell(self, order: Mapping[str, str]) -> None:
        """Publishes `order` for all consumers, without a confirm."""
        body = json.dumps(order).encode()
        self._call(lambda: self._plain.basic_publish(amqp.CONTROL_EXCHANGE, "", body))

    def close(self) -> None:
        """Ends the connection and the thread. A broker that says nothing is waited for no longer than five
        seconds: the thread then ends when heartbeats are missing."""
        with self._lock:
            self._error = self._error or NoAnswer("the connection was closed")
        self._call(self._close)
        self._thread.join(CLOSE_SECONDS)

    def _call(self, work: Callable[[], object]) -> None:
        """Has the connection's thread do `work`; not any more where the connection has ended."""

        def guarded() -> None:
            with suppress(*amqp.ERRORS):  # `_on_closed` is told as well
                work()

        self._connection.ioloop.add_callback_threadsafe(guarded)

    def _run(self) -> None:
        try:
            self._connection.ioloop.start()
            self._connection.ioloop.close()
        finally:
            with self._lock:
                error = self._error = self._reason or self._error or NoAnswer("the connection has ended")
            for batch in self._batches:
                if not batch.ended.is_set():
                    batch.error = batch.error or f"{type(error).__name__}: {error}"
                    batch.ended.set()
            self._ready.set()

    def _on_open(self, connection: pika.SelectConnection) -> None:
        self._plain = connection.channel(on_open_callback=lambda _: None)
        self._safe = connection.channel(on_open_callback=self._on_channel)
        for channel in (self._plain, self._safe):
            channel.add_on_close_callback(self._on_channel_closed)

    def _on_channel(self, channel: pika.channel.Channel) -> None:
        channel.add_on_return_callback(self._on_return)
        # Without a callback nothing waits for the answer: the broker handles a channel's methods in order.
        amqp.declare_topology(channel)
        channel.confirm_delivery(self._on_confirm, lambda _: self._ready.set())

    def _on_channel_closed(self, _channel: pika.channel.Channel, reason: BaseException) -> None:
        self._reason = self._reason or reason
        self._close()

    def _on_closed(self, connection: pika.SelectConnection, reason: BaseException) -> None:
        self._reason = self._reason or reason
        connection.ioloop.stop()

    def _close(self) -> None:
        if not (self._connection.is_closing or self._connection.is_closed):
            self._connection.close()

    def _take(self, batch: Batch, jobs: Sequence[Job]) -> None:
        self._unsent.extend((batch, job) for job in jobs)
        self._publish()

    def _publish(self) -> None:
        """Publishes what waits, as far as the window is open."""
        while self._unsent and len(self._awaited) < self._window:
            batch, job = self._unsent.popleft()
            channel, written_us = self._safe if batch.safe else self._plain, now_us()
            try:
                publish(channel, batch.queue, job, safe=batch.safe)
            except Exception as error:
                if not channel.is_open:
                    return  # and all batches end with the connection
                batch.settle(batch.unsendable, job.task_id, f"{type(error).__name__}: {error}")
                continue
            if batch.safe:
                self._last_tag += 1
                self._awaited[self._last_tag] = (batch, job.task_id, written_us)
            else:
                batch.settle(batch.confirmed, job.task_id, written_us)

    def _on_confirm(self, answer: Any) -> None:
        self._heard = time.monotonic()
        method = answer.method
        refused = None if isinstance(method, spec.Basic.Ack) else REFUSED
        tags = [method.delivery_tag]
        if method.multiple:
            tags = list(takewhile(lambda tag: tag <= method.delivery_tag, self._awaited))
        for tag in tags:
            batch, task_id, written_us = self._awaited.pop(tag)
            if reason := self._returned.pop(task_id, refused):
                batch.settle(batch.refused, task_id, reason)
            else:
                batch.settle(batch.confirmed, task_id, written_us)
        self._publish()

    def _on_return(self, _channel: object, method: Any, properties: Any, _body: bytes) -> None:
        # The broker returns a message before it confirms it.
        self._returned[properties.message_id] = f"no queue takes it: {method.reply_text}"
