"""The messages that contenders get: the lab's own, so that all are of one size."""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pika
from celery import Celery
from kombu.serialization import dumps

from lab.job import Job

_ID: Final = "00000000-0000-4000-8000-000000000000"
_TOKEN: Final = "f" * 64
_NUM: Final = 1_000_000
KIND: Final = "bench_tick"


@dataclass(frozen=True)
class Ticket:
    """A task's id and its token."""

    task_id: str
    token: str = _TOKEN


def strangers(count: int) -> Iterator[Ticket]:
    """Tickets of tasks that no store knows."""
    return (Ticket(str(uuid.uuid4())) for _ in range(count))


def for_consumer(
    tickets: Iterable[Ticket], *, beside: bool = False, equal: bool = False
) -> Iterator[tuple[bytes, bytes]]:
    """Messages as the lab's transport by hand writes them: properties and body.

    Args:
        beside: the jobs' reports travel beside their path.
        equal: all jobs have the same parameters; otherwise each has a number of its own.
    """
    job = Job(task_id=_ID, num=_NUM, kind=KIND, params={"serial": _NUM}, token=_TOKEN, beside=beside)
    properties = pika.BasicProperties(
        content_type="application/json", delivery_mode=2, message_id=_ID, type=KIND
    )
    return _filled(b"".join(properties.encode()), job.to_json(), tickets, equal)


def for_celery(
    tickets: Iterable[Ticket], *, beside: bool = False, equal: bool = False
) -> Iterator[tuple[bytes, bytes]]:
    """Messages of protocol 2 as the lab's Celery transport sends them, whose results nobody wants; arguments as
    for `for_consumer`."""
    job = Job(task_id=_ID, num=_NUM, kind=KIND, params={"serial": _NUM}, token=_TOKEN)
    app = Celery(set_as_current=False)
    headers, properties, body, _ = app.amqp.as_task_v2(
        _ID,
        KIND,
        args=[],
        kwargs={"task_num": _NUM, "serial": _NUM},
        argsrepr=job.arguments(),
        ignore_result=True,
    )
    headers |= {"lab_token": _TOKEN, "lab_max_retries": 3} | ({"lab_beside": True} if beside else {})
    content_type, content_encoding, payload = dumps(body, serializer="json")
    encoded = pika.BasicProperties(
        content_type=content_type,
        content_encoding=content_encoding,
        delivery_mode=2,
        priority=0,
        headers=_plain(headers),
        correlation_id=properties["correlation_id"],
        reply_to=properties["reply_to"],
    )
    return _filled(b"".join(encoded.encode()), payload.encode(), tickets, equal)


def _plain(headers: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in headers.items()}


def _filled(
    properties: bytes, body: bytes, tickets: Iterable[Ticket], equal: bool
) -> Iterator[tuple[bytes, bytes]]:
    # Ids, tokens and numbers are all of one length, so the template's own lengths stay right.
    for number, ticket in enumerate(tickets, _NUM + 1):
        # The number goes first: an id may happen to hold its digits.
        own = {str(_NUM): str(_NUM if equal else number), _ID: ticket.task_id, _TOKEN: ticket.token}
        yield _replaced(properties, own), _replaced(body, own)


def _replaced(part: bytes, own: dict[str, str]) -> bytes:
    for old, new in own.items():
        part = part.replace(old.encode(), new.encode())
    return part
