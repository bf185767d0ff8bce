"""Empties a queue and keeps the books: what was in it ends CANCELLED instead of waiting for ever."""

import time
from dataclasses import dataclass
from typing import Final

from pika.adapters.blocking_connection import BlockingChannel

from lab.broker import amqp
from lab.status import StatusUpdate, TaskStatus
from store.tasks import Store

BATCH: Final = 200
MOST_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Purged:
    """How many messages are gone, and how many tasks ended CANCELLED by it."""

    messages: int = 0
    tasks: int = 0


def purge(url: str, queue: str, most: int, store: Store) -> Purged:
    """Takes up to `most` messages off `queue`, for up to 20 seconds, and ends their tasks.

    The broker is told to forget a message after the store has ended its task: a message that comes back
    because this was interrupted is skipped by its worker. RabbitMQ's own purge tells nobody what went.

    Raises:
        one of amqp.ERRORS: the broker is away, or has no such queue; what was done so far is done.
    """
    messages = tasks = 0
    deadline = time.monotonic() + MOST_SECONDS
    with amqp.connected(url, "transport-lab purge") as connection:
        channel = connection.channel()
        while messages < most and time.monotonic() < deadline:
            taken, ids, tag = _take(channel, queue, min(BATCH, most - messages))
            if not taken:
                break
            tasks += _end(store, queue, ids)
            channel.basic_ack(tag, multiple=True)
            messages += taken
    return Purged(messages, tasks)


def _take(channel: BlockingChannel, queue: str, most: int) -> tuple[int, list[str], int]:
    taken, ids, tag = 0, [], 0
    while taken < most:
        method, properties, _ = channel.basic_get(queue)
        if method is None or properties is None:
            break
        taken, tag = taken + 1, method.delivery_tag
        if task_id := amqp.task_of(properties.headers, properties.message_id):
            ids.append(task_id)
    return taken, ids, tag


def _end(store: Store, queue: str, ids: list[str]) -> int:
    updates = [
        StatusUpdate(
            task_id=row["id"],
            status=TaskStatus.CANCELLED,
            attempt=max(1, row["attempt"]),
            error=f"purged from the queue {queue}",
        )
        for row in store.get_all(ids)
    ]
    return sum(verdict.applied for verdict in store.apply(updates)) if updates else 0
