"""Tells a worker that its queue was deleted.

RabbitMQ cancels the consumers of a deleted queue, but not always: where the queue is declared again at once, RabbitMQ
3.10 cancels nobody, counts the consumer as one of the new queue, and the worker never gets what is handed to it.
https://www.rabbitmq.com/docs/consumer-cancel
"""

import time
from collections.abc import Sequence
from typing import Any, Final

LOOK_SECONDS: Final = 3.0


class Witness:
    """For each of `queues` an exchange that is bound to it alone, and that the broker deletes with this binding.
    Nothing is published there. Made before the queue is consumed, over any channel of pika or py-amqp.

    Args:
        worker: the worker's name: one that was killed leaves its exchanges behind for the next of its name.
    """

    def __init__(self, channel: Any, worker: str, queues: Sequence[str]) -> None:
        self._channel = channel
        self._exchanges = [f"lab.witness.{worker}.{queue}"[:255] for queue in queues]
        self._next = 0.0
        for queue, exchange in zip(queues, self._exchanges, strict=True):
            channel.exchange_delete(exchange)
            channel.exchange_declare(exchange, "fanout", False, False, True)  # neither passive nor durable
            channel.queue_bind(queue, exchange)

    def look(self) -> None:
        """Returns where all queues are still the same; asks every LOOK_SECONDS at most, whatever the number of
        calls. Raises the channel's error for an exchange that does not exist."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LOOK_SECONDS
            for exchange in self._exchanges:
                self._channel.exchange_declare(exchange, "fanout", True)  # passive

    def end(self) -> None:
        """Deletes the exchanges."""
        for exchange in self._exchanges:
            self._channel.exchange_delete(exchange)
