"""How the lab reaches RabbitMQ and what it declares there, in one place for both sides."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import pika
import pika.data
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError

from lab.delivery import Delivery
from lab.options import MAX_PRIORITY

# What pika raises when the broker is away; a broker that accepts and then says nothing raises the second.
ERRORS: Final = (AMQPError, AMQPConnectorException, OSError)

HEARTBEAT_SECONDS: Final = 10
BLOCKED_SECONDS: Final = 5.0
DELIVERY_LIMIT: Final = 5
MOST_DELIVERIES: Final = 1_000  # more are a forged header's

MAX_DELAY: Final = 2**21  # seconds, 24 days
SPARE_SECONDS: Final = 3600

CELERY_QUEUE: Final = "celery"
# As any Celery client declares a queue of this name: classic, without arguments. The queue `celery` has them.
OPEN_QUEUE: Final = "celery.open"
RABBITMQ_QUEUE: Final = "tasks"
QUEUES: Final = (CELERY_QUEUE, RABBITMQ_QUEUE)
DEAD_LETTER_EXCHANGE: Final = "lab.dead"
CONTROL_EXCHANGE: Final = "lab.control"


class Channel(Protocol):
    """The part of a pika channel that declares; its doubles need no more."""

    def exchange_declare(self, exchange: str, exchange_type: str, durable: bool) -> Any: ...
    def queue_declare(self, queue: str, durable: bool, arguments: dict[str, Any] | None) -> Any: ...
    def queue_bind(self, queue: str, exchange: str, routing_key: str) -> Any: ...


def parameters(url: str, name: str, *, heartbeat: int = HEARTBEAT_SECONDS) -> pika.URLParameters:
    """Connection parameters for `url`, shown under `name` on RabbitMQ's management page.

    Heartbeats come every `heartbeat` seconds, and a connection that the broker blocks (memory or
    disk alarm) ends with an error after five seconds instead of hanging.
    https://www.rabbitmq.com/docs/heartbeats, https://www.rabbitmq.com/docs/connection-blocked
    """
    result = pika.URLParameters(url)
    result.heartbeat = heartbeat
    result.blocked_connection_timeout = BLOCKED_SECONDS
    result.socket_timeout = 5.0
    result.stack_timeout = 10.0
    result.connection_attempts = 1
    result.client_properties = {"connection_name": name}
    return result


def dead_letter_queue(queue: str) -> str:
    """The queue that takes what `queue` rejects or has delivered too often."""
    return f"{queue}.dead"


def queue_arguments(queue: str, delivery: Delivery = Delivery.SAFE) -> dict[str, Any]:
    """Arguments of the durable queue that serves `queue` in the mode `delivery`.

    Safe is a quorum queue that gives a message up at its sixth return, and hands it to its dead-letter
    queue without losing it on the way; naive is a plain classic queue.
    https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling
    """
    if delivery is Delivery.NAIVE:
        return {"x-queue-type": "classic"}
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE,
        "x-dead-letter-routing-key": dead_letter_queue(queue),
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def priority_queue(queue: str) -> str:
    """The queue beside the safe `queue` for messages with a priority."""
    return f"{queue}.priority"


def priority_arguments(queue: str) -> dict[str, Any]:
    """Arguments of the priority queue beside `queue`.

    A classic queue, since quorum queues know no such priorities: its messages lie on one node's disk only,
    and nothing counts how often one came back, so workers pass one that did on to `queue`.
    https://www.rabbitmq.com/docs/priority
    """
    return {
        "x-max-priority": MAX_PRIORITY,
        "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE,
        "x-dead-letter-routing-key": dead_letter_queue(queue),
    }


def declare_topology(channel: Channel, queues: Iterable[str] = QUEUES) -> None:
    """Declares `queues` with those beside them, and where their dead letters go; doing it again changes nothing.

    Celery's queues are bound to exchanges of its own by Celery; here they are only declared, with the
    very arguments that `celery_app` uses.
    """
    channel.exchange_declare(exchange=DEAD_LETTER_EXCHANGE, exchange_type="direct", durable=True)
    channel.exchange_declare(exchange=CONTROL_EXCHANGE, exchange_type="fanout", durable=True)
    channel.queue_declare(queue=OPEN_QUEUE, durable=True, arguments=None)
    for queue in queues:
        dead = dead_letter_queue(queue)
        channel.queue_declare(queue=dead, durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(queue=dead, exchange=DEAD_LETTER_EXCHANGE, routing_key=dead)
        channel.queue_declare(queue=priority_queue(queue), durable=True, arguments=priority_arguments(queue))
        for delivery in Delivery:
            channel.queue_declare(
                queue=delivery.queue(queue), durable=True, arguments=queue_arguments(queue, delivery)
            )


def delay_seconds(seconds_left: float) -> int:
    """For how long a message that may be handled in `seconds_left` is put aside first: the greatest power of
    two that is not too long, and 0 in the last second, which its consumer waits by itself."""
    return 2 ** (min(int(seconds_left), MAX_DELAY).bit_length() - 1) if seconds_left >= 1 else 0


def declare_delay_queue(channel: Channel, queue: str, seconds_left: float) -> str:
    """Names the queue for a message that `queue` is to have in `seconds_left`, and declares it: `queue`
    itself in the last second.

    Nobody consumes a delay queue: a message that has waited goes back to `queue` as its dead letter, and
    from there, where its time has not come, into a shorter one. There is one for each power of two, so that
    none waits behind a message with a longer wait: a queue expires messages at its head only. It vanishes
    when it was not declared for an hour longer than its messages wait; anyone who publishes declares it.
    https://www.rabbitmq.com/docs/ttl#per-message-ttl-caveats, https://www.rabbitmq.com/docs/ttl#queue-ttl
    """
    seconds = delay_seconds(seconds_left)
    if not seconds:
        return queue
    name = f"{queue}.delay.{seconds}s"
    arguments = {
        "x-queue-type": "quorum",
        "x-message-ttl": seconds * 1000,
        "x-expires": (seconds + SPARE_SECONDS) * 1000,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": queue,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    channel.queue_declare(queue=name, durable=True, arguments=arguments)
    return name


class Unreadable(str):
    """A header's value that pika cannot decode: its type's letter and its bytes in hexadecimal digits."""


_FIXED: Final = {b"T": 8, b"d": 8, b"f": 4}


def decode_value(
    encoded: bytes, offset: int, decode: Callable[[bytes, int], tuple[Any, int]] = pika.data.decode_value
) -> tuple[Any, int]:
    """What pika decodes at `offset`, and the offset behind it. A time of no calendar, no number or tables in tables
    in tables are `Unreadable` instead of ending the connection, and the next one that the message is given to."""
    try:
        return decode(encoded, offset)
    except (ValueError, OverflowError, OSError, RecursionError):
        kind, begin = encoded[offset : offset + 1], offset + 1
        size = _FIXED.get(kind) or 4 + int.from_bytes(encoded[begin : begin + 4], "big")
        return Unreadable(f"{kind.decode()}:{encoded[begin : begin + size].hex()}"), begin + size


pika.data.decode_value = decode_value


def delivery_count(headers: dict[str, Any] | None, redelivered: bool) -> int:
    """How often a message was handed out before this delivery, as far as the broker tells.

    Quorum queues count in `x-delivery-count`; other queues only say that it was not the first time.
    """
    counted = (headers or {}).get("x-delivery-count")
    return min(max(0, int(counted)), MOST_DELIVERIES) if isinstance(counted, int) else int(redelivered)


def connected(url: str, name: str, *, heartbeat: int = HEARTBEAT_SECONDS) -> pika.BlockingConnection:
    """A connection to the broker at `url`, shown as `name`; in a `with` it is closed at the end."""
    return pika.BlockingConnection(parameters(url, name, heartbeat=heartbeat))


def task_of(headers: Mapping[str, Any] | None, message_id: Any) -> str | None:
    """The id of the task that a message is of, None where it names none: Celery names it in a header, the
    hand-written transport in the message id."""
    named = (headers or {}).get("id") or message_id
    return named if isinstance(named, str) and "\x00" not in named else None
