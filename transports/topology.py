"""The queues and exchanges of both sides, as the code that declares them has them."""

from dataclasses import dataclass, field
from typing import Any, Final

from celery import Celery
from kombu.transport.native_delayed_delivery import CELERY_DELAYED_DELIVERY_EXCHANGE, MAX_LEVEL, level_name

from celery_app import create_celery
from lab.broker import amqp
from lab.delivery import Delivery
from lab.settings import Settings

CELERY_DELAYS: Final = f"{level_name(0)} … {level_name(MAX_LEVEL)}"
DELAYS: Final = f"{amqp.RABBITMQ_QUEUE}.delay.1s … {amqp.MAX_DELAY}s"


@dataclass(frozen=True)
class AmqpObject:
    """A queue or an exchange. `kind` is `queue`, `exchange`, or `queues` for a ladder of like ones; `type` is
    the exchange's, or `quorum` or `classic`; `bound_to` are the exchanges that a queue is bound to."""

    kind: str
    name: str
    type: str
    durable: bool = True
    arguments: dict[str, Any] = field(default_factory=dict)
    bound_to: tuple[str, ...] = ()


class _Declared:
    """A channel that declares nothing and remembers what it was asked to."""

    def __init__(self) -> None:
        self.objects: dict[str, AmqpObject] = {}
        self._bindings: dict[str, tuple[str, ...]] = {}

    def exchange_declare(self, exchange: str, exchange_type: str, durable: bool) -> None:
        self.objects[f"exchange {exchange}"] = AmqpObject("exchange", exchange, exchange_type, durable)

    def queue_declare(self, queue: str, durable: bool, arguments: dict[str, Any] | None) -> None:
        self.objects[f"queue {queue}"] = _queue(queue, durable, arguments)

    def queue_bind(self, queue: str, exchange: str, routing_key: str) -> None:  # noqa: ARG002
        found = self.objects[f"queue {queue}"]
        self.objects[f"queue {queue}"] = _queue(
            queue, found.durable, found.arguments, (*found.bound_to, exchange)
        )


def declared(settings: Settings) -> dict[str, AmqpObject]:
    """What the safe mode declares at RabbitMQ, under `queue name`, `exchange name` and `queues first … last`.
    Nothing connects."""
    celery = create_celery(settings.with_(celery_broker_url=settings.rmq_url), Delivery.SAFE)
    channel = _Declared()
    amqp.declare_topology(channel)
    channel.queue_declare("amq.gen-…", durable=False, arguments=None)
    channel.queue_bind("amq.gen-…", amqp.CONTROL_EXCHANGE, "")
    objects = channel.objects
    for queue in celery.amqp.queues.values():
        exchange = queue.exchange
        objects[f"queue {queue.name}"] = _queue(
            queue.name, queue.durable, queue.queue_arguments, (exchange.name,)
        )
        objects[f"exchange {exchange.name}"] = AmqpObject(
            "exchange", exchange.name, exchange.type, exchange.durable
        )
    mailbox = celery.control.mailbox
    for exchange in (mailbox.exchange, mailbox.reply_exchange):
        objects[f"exchange {exchange.name}"] = AmqpObject(
            "exchange", exchange.name, exchange.type, exchange.durable
        )
    return {**objects, **_delays(celery)}


def _delays(celery: Celery) -> dict[str, AmqpObject]:
    """The ladders of delay queues; Celery makes its own out of reach of the code here."""
    channel = _Declared()
    longest = amqp.declare_delay_queue(channel, amqp.RABBITMQ_QUEUE, 1.0)
    by_hand = channel.objects[f"queue {longest}"].arguments
    celerys = {
        "x-queue-type": celery.conf.broker_native_delayed_delivery_queue_type,
        "x-message-ttl": "1000 · 2ⁿ",
        "x-dead-letter-exchange": "celery_delayed_n-1",
    }
    return {
        "exchange " + CELERY_DELAYED_DELIVERY_EXCHANGE: AmqpObject(
            "exchange", CELERY_DELAYED_DELIVERY_EXCHANGE, "topic"
        ),
        "queues " + CELERY_DELAYS: AmqpObject("queues", CELERY_DELAYS, "quorum", True, celerys),
        "queues " + DELAYS: AmqpObject(
            "queues",
            DELAYS,
            "quorum",
            True,
            {**by_hand, "x-message-ttl": "1000 · 2ⁿ", "x-expires": "1000 · (2ⁿ + 3600)"},
        ),
    }


def _queue(
    name: str, durable: bool, arguments: dict[str, Any] | None, bound_to: tuple[str, ...] = ()
) -> AmqpObject:
    arguments = dict(arguments or {})
    kind = str(arguments.get("x-queue-type", "classic"))
    return AmqpObject("queue", name, kind, durable, arguments, bound_to)
