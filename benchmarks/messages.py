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


def for_consumer(tickets: Iterable[Ticket]) -> Iterator[tuple[bytes, bytes]]:
    """Messages as the lab's transport by hand writes them: properties and body."""
    job = Job(task_id=_ID, num=_NUM, kind=KIND, token=_TOKEN)
    properties = pika.BasicProperties(
        content_type="application/json", delivery_mode=2, message_id=_ID, type=KIND
    )
    return _filled(b"".join(properties.encode()), job.to_json(), tickets)


def for_celery(tickets: Iterable[Ticket], *, ignore_result: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """Messages of protocol 2 as the lab's Celery transport sends them."""
    job = Job(task_id=_ID, num=_NUM, kind=KIND, token=_TOKEN)
    app = Celery(set_as_current=False)
    headers, properties, body, _ = app.amqp.as_task_v2(
        _ID,
        KIND,
        args=[],
        kwargs={"task_num": _NUM},
        argsrepr=job.arguments(),
        ignore_result=ignore_result,
    )
    headers |= {"lab_token": _TOKEN, "lab_max_retries": 3}
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
    return _filled(b"".join(encoded.encode()), payload.encode(), tickets)


def _plain(headers: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in headers.items()}


def _filled(properties: bytes, body: bytes, tickets: Iterable[Ticket]) -> Iterator[tuple[bytes, bytes]]:
    # Ids and tokens are all of one length, so the template's own lengths stay right.
    for ticket in tickets:
        task_id, token = ticket.task_id.encode(), ticket.token.encode()
        yield tuple(  # type: ignore[misc]
            part.replace(_ID.encode(), task_id).replace(_TOKEN.encode(), token) for part in (properties, body)
        )
