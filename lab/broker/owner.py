"""Whose a virtual host is: two labs on one would take each other's messages.

A queue that is never written to says it. Its arguments hold the lab's mark, so that only the same lab can declare
it again; it vanishes with the last API that consumes it, or where nobody has for a minute.
https://www.rabbitmq.com/docs/queues#property-equivalence
"""

from collections.abc import Callable
from typing import Any, Final

from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

from lab.broker import amqp
from lab.settings import Settings
from lab.token import sign

QUEUE: Final = "lab.broker.owner"
EXPIRES_MILLISECONDS: Final = 60_000
_PRECONDITION_FAILED: Final = 406


class AnotherLab(RuntimeError):
    """The virtual host is another lab's; the message says what to do."""


def mark(secrets: tuple[bytes, ...]) -> str:
    """What tells one lab from another: the same for all that share the last, the oldest, of its `secrets`, so that
    a lab stays itself with a new key beside those that still hold."""
    return sign(secrets[-1], QUEUE)[:16]


def claim(channel: BlockingChannel, lab: str) -> None:
    """Makes the virtual host of `channel` that of the lab with the mark `lab`, for as long as somebody consumes the
    queue, or a minute.

    Raises:
        AnotherLab: it is another one's.
    """
    arguments: dict[str, Any] = {
        "x-expires": EXPIRES_MILLISECONDS,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": lab,
    }
    try:
        channel.queue_declare(QUEUE, durable=True, auto_delete=True, arguments=arguments)
    except ChannelClosedByBroker as error:
        if error.reply_code != _PRECONDITION_FAILED:
            raise
        raise AnotherLab(
            "Another lab uses the virtual host that RMQ_URL names: end that one (after a crash its claim ends within "
            "a minute), name another virtual host at the end of RMQ_URL, or, where this is to be a part of the same "
            "lab, give both the same LAB_SECRET_KEY, or name the other one's in LAB_FORMER_SECRET_KEYS."
        ) from error


def hold(channel: BlockingChannel, lab: str) -> None:
    """`claim` for as long as `channel` is open. Raises as that does."""
    claim(channel, lab)
    ignore: Callable[..., None] = lambda *_: None  # noqa: E731 - nothing is ever sent there
    channel.basic_consume(QUEUE, ignore, auto_ack=True)


def refuse_another(settings: Settings) -> None:
    """Raises AnotherLab where the virtual host is another lab's now; a broker that is away tells nothing."""
    try:
        with amqp.connected(settings.rmq_url, "transport-lab start") as connection:
            claim(connection.channel(), mark(settings.secrets()))
    except amqp.ERRORS:
        return
