"""The lab's queues: all that RabbitMQ's management API tells of them, or what a passive declare does."""

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import requests
from pika.exceptions import ChannelClosedByBroker

from lab.broker import amqp, management
from lab.broker.address import virtual_host
from lab.delivery import Delivery
from lab.settings import Settings
from transports.methods import CELERY, OF_QUEUE, QUEUES

MANAGEMENT: Final = "management"
PASSIVE: Final = "passive"
DELAYS: Final = "celery_delayed_*"
_NAME: Final = re.compile(
    rf"({'|'.join(map(re.escape, OF_QUEUE))})(\.naive|\.priority|\.open)?(?:(\.dead)|\.delay\.(\d+)s)?",
    re.ASCII,
)
_DELAY: Final = re.compile(r"celery_delayed_\d+", re.ASCII)
_SUMS: Final = (
    "ready",
    "unacknowledged",
    "consumers",
    "publish_rate",
    "deliver_rate",
    "ack_rate",
    "memory",
    "bytes",
)

Queue = dict[str, Any]


def is_ours(name: str) -> bool:
    """Whether `name` is a queue that jobs of this lab go through, so that it may be purged."""
    return _NAME.fullmatch(name) is not None


def read_queues(settings: Settings) -> tuple[list[Queue], str]:
    """The queues, in the order in which the page shows them, and where the figures come from.

    Celery's delay queues are one entry, `folded` of so many `parts`; what only the management API tells is None
    without it.

    Raises:
        one of amqp.ERRORS: the broker is away.
    """
    try:
        found, source = list(_from_management(settings)), MANAGEMENT
    except (requests.RequestException, ValueError, KeyError, TypeError, AttributeError):
        found, source = list(_from_declares(settings)), PASSIVE
    delays = [queue for queue in found if _DELAY.fullmatch(queue["name"])]
    named = sorted((queue for queue in found if is_ours(queue["name"])), key=lambda q: _order(q["name"]))
    delays.sort(key=lambda queue: int(queue["name"].rpartition("_")[2]))
    return named + ([_folded(delays)] if delays else []), source


def read_alarms(settings: Settings) -> list[str]:
    """Which of the alarms "memory" and "disk" are on at a node of the broker, and block publishing; none where the
    management API does not tell. https://www.rabbitmq.com/docs/alarms"""
    try:
        nodes = management.ask(settings, "nodes")
        named = {"memory": "mem_alarm", "disk": "disk_free_alarm"}
        return [alarm for alarm, key in named.items() if any(node.get(key) for node in nodes)]
    except (requests.RequestException, TypeError, AttributeError):
        return []


def ready(settings: Settings, queue: str) -> int:
    """How many messages wait in `queue` at this moment; 0 where there is no such queue.

    Raises:
        one of amqp.ERRORS: the broker is away.
    """
    with amqp.connected(settings.rmq_url, "transport-lab queues") as connection:
        try:
            return int(connection.channel().queue_declare(queue, passive=True).method.message_count)
        except ChannelClosedByBroker:
            return 0


def _order(name: str) -> tuple[str, bool, str, int]:
    """Celery's first; the safe queue before those beside it, each with where its messages wait for later,
    then the dead letters."""
    work, beside, dead, wait = _NAME.sub(r"\1,\2,\3,\4", name).split(",")
    return work, bool(dead), beside, int(wait or 0)


def _entry(name: str, kind: str | None, **figures: Any) -> Queue:
    match = _NAME.fullmatch(name)
    method = OF_QUEUE[match[1]] if match else CELERY.name
    return {"name": name, "method": method, "type": kind, **dict.fromkeys(_SUMS), "folded": None, **figures}


def _folded(queues: list[Queue]) -> Queue:
    known = {name: [queue[name] for queue in queues if queue[name] is not None] for name in _SUMS}
    sums = {name: sum(values) if values else None for name, values in known.items()}
    parts = [{"name": queue["name"], "ready": queue["ready"]} for queue in queues]
    return {**_entry(DELAYS, queues[0]["type"]), **sums, "folded": len(queues), "parts": parts}


def _from_management(settings: Settings) -> Iterator[Queue]:
    """https://www.rabbitmq.com/docs/http-api-reference#get-apiqueuesvhost"""
    vhost = virtual_host(settings.rmq_url)
    for told in management.ask(settings, f"queues/{quote(vhost, safe='')}"):
        stats = told.get("message_stats") or {}
        yield _entry(
            told["name"],
            told.get("type"),
            ready=told.get("messages_ready"),
            unacknowledged=told.get("messages_unacknowledged"),
            consumers=told.get("consumers"),
            publish_rate=_rate(stats, "publish"),
            deliver_rate=_rate(stats, "deliver_get"),
            ack_rate=_rate(stats, "ack"),
            memory=told.get("memory"),
            bytes=told.get("message_bytes"),
        )


def _rate(stats: dict[str, Any], name: str) -> float:
    return float((stats.get(f"{name}_details") or {}).get("rate") or 0.0)


def _from_declares(settings: Settings) -> Iterator[Queue]:
    """Asks for each queue that there may be. A queue that is not there costs its channel."""
    works = [delivery.queue(queue) for queue in QUEUES.values() for delivery in Delivery]
    waits = [2**power for power in range(amqp.MAX_DELAY.bit_length())]
    names = [
        *works,
        amqp.OPEN_QUEUE,
        *(amqp.priority_queue(queue) for queue in QUEUES.values()),
        *(amqp.dead_letter_queue(queue) for queue in QUEUES.values()),
        *(f"{queue}.delay.{seconds}s" for queue in works for seconds in waits),
        *(f"celery_delayed_{level}" for level in range(28)),
    ]
    with amqp.connected(settings.rmq_url, "transport-lab queues") as connection:
        channel = connection.channel()
        for name in names:
            try:
                told = channel.queue_declare(name, passive=True).method
            except ChannelClosedByBroker:
                channel = connection.channel()
                continue
            yield _entry(name, None, ready=told.message_count, consumers=told.consumer_count)
