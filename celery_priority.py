"""Messages with a priority, by Celery: fetched one at a time, by a worker that has a process free.

Celery fetches ahead: of each queue that it consumes a worker holds as many messages as it has processes, and
what it holds it runs first, however urgent what comes after. `worker_disable_prefetch` would help, but is for
Redis only. So the priority queue is not consumed but asked (basic.get), and before anything that is held.
https://docs.celeryq.dev/en/stable/userguide/optimizing.html#prefetch-limits
"""

import logging
from collections.abc import Callable
from typing import Any, Final

from celery.bootsteps import RUN
from kombu import Queue

from lab.amqp import CELERY_QUEUE, priority_queue

LOOK_SECONDS: Final = 1.0

logger = logging.getLogger(__name__)


class Priorities:
    """Fetches for a worker's `consumer` from its priority queue, over one connection.

    It is told when there is something (the command `lab_look`), and looks by itself once a second.
    While there is something, each process that becomes free gets the most urgent of it.

    Args:
        handle: takes a message, as if it had been consumed.
    """

    def __init__(self, consumer: Any, handle: Callable[[Any], None]) -> None:
        self._consumer = consumer
        self._handle = handle
        self._queue: Queue = consumer.app.amqp.queues[priority_queue(CELERY_QUEUE)]
        self._slots = consumer.controller.semaphore
        self._fetched: list[Any] = []
        self._more = True

    @classmethod
    def begin(cls, consumer: Any, handle: Callable[[Any], None]) -> "Priorities | None":
        """Has the worker ask the priority queue instead of consuming it. None where it does not serve that
        queue, or where its pool has no slots to be told of (`--pool=solo`, threads): then it is consumed
        as any other."""
        name = priority_queue(CELERY_QUEUE)
        if consumer.controller.semaphore is None or name not in {
            q.name for q in consumer.task_consumer.queues
        }:
            return None
        consumer.task_consumer.cancel_by_queue(name)
        made = cls(consumer, handle)
        made._slots.release = made._release
        consumer.hub.call_repeatedly(LOOK_SECONDS, made.look)
        return made

    def look(self) -> None:
        """There may be something: fetches as much as there are processes free."""
        self._more = True
        self._fetch(self._slots.value)

    def _release(self) -> None:
        """A process has become free: what is most urgent goes before what waits here."""
        try:
            self._fetch(1)
        except self._consumer.connection_errors + self._consumer.channel_errors as error:
            logger.warning("the priority queue was not asked: %s", error)
        type(self._slots).release(self._slots)

    def _fetch(self, count: int) -> None:
        self._fetched = [message for message in self._fetched if not message.acknowledged]
        # Twice the processes, since those that have become free may not have acknowledged yet.
        count = min(count, 2 * self._slots.initial_value - len(self._fetched))
        while count > 0 and self._more and self._consumer.blueprint.state == RUN:
            count -= 1
            channel = self._consumer.task_consumer.channel
            raw = channel.basic_get(self._queue.name, no_ack=False)
            self._consumer.hub.call_soon(self._read_on)
            if raw is None:
                self._more = False
                return
            self._begin(channel.message_to_python(raw))

    def _read_on(self) -> None:
        """The answer may have come with other frames behind it, which the event loop would not see: they are
        not in the socket any more."""
        connection = self._consumer.connection
        if connection is not None and connection.connected:
            connection.transport.on_readable(connection.connection, self._consumer.hub)

    def _begin(self, message: Any) -> None:
        if message.delivery_info.get("redelivered"):
            self._pass_on(message)
            return
        self._fetched.append(message)
        waiting = self._slots._waiting
        before = len(waiting)
        self._handle(message)
        if len(waiting) > before:
            waiting.rotate(1)

    def _pass_on(self, message: Any) -> None:
        """A message that comes back may have killed its worker. It goes through the ordinary queue, which
        counts that and gives it up, as its next attempt."""
        ordinary = self._consumer.app.amqp.queues[CELERY_QUEUE]
        headers = {**message.headers, "lab_attempt": message.headers.get("lab_attempt", 1) + 1}
        with self._consumer.app.producer_or_acquire() as producer:
            producer.publish(
                message.body,
                exchange=ordinary.exchange,
                routing_key=ordinary.routing_key,
                headers=headers,
                content_type=message.content_type,
                content_encoding=message.content_encoding,
                correlation_id=message.properties.get("correlation_id"),
                reply_to=message.properties.get("reply_to"),
                mandatory=True,
                retry=False,
            )
        message.ack()
