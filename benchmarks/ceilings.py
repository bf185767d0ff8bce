"""The broker's ceiling: clients that do nothing but publish and consume."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from benchmarks import messages
from benchmarks.contender import Contender, Measured
from benchmarks.programs import message_file
from benchmarks.stand import Stand
from lab.broker.amqp import RABBITMQ_QUEUE, queue_arguments
from lab.delivery import Delivery

QUEUE: Final = "bench.ceiling"
KINDS: Final[dict[str, dict[str, Any]]] = {
    "quorum": queue_arguments(RABBITMQ_QUEUE, Delivery.SAFE),
    "classic": queue_arguments(RABBITMQ_QUEUE, Delivery.NAIVE),
}


def through(program: str, kind: str, stand: Stand, jobs: int) -> Measured:
    """Publishes with confirms in a window while another process consumes with an ack for each message;
    from the first publish to the last ack."""
    file = stand.folder / "messages"
    message_file.write(file, messages.for_consumer(messages.strangers(jobs)))
    stand.fresh_queue(QUEUE, KINDS[kind])
    with stand.measuring(), stand.consuming(program, QUEUE, jobs) as consumer:
        with stand.publishing(program, stand.url, "", QUEUE, file) as publisher:
            begin, _ = publisher.times(stand.limit + 60)
        _, end = consumer.times(stand.limit + 60)
    return Measured(jobs / (end - begin))


def publish(program: str, kind: str, stand: Stand, jobs: int) -> Measured:
    """Publishes with confirms in a window; nobody consumes."""
    file = stand.folder / "messages"
    message_file.write(file, messages.for_consumer(messages.strangers(jobs)))
    stand.fresh_queue(QUEUE, KINDS[kind])
    with stand.measuring(), stand.publishing(program, stand.url, "", QUEUE, file) as publisher:
        begin, end = publisher.times(stand.limit + 60)
    with stand.channel(stand.url) as channel:
        channel.queue_delete(QUEUE)
    return Measured(jobs / (end - begin))


CONTENDERS: Final = [
    Contender(
        f"{name}_{kind}", f"{label}, {kind} queue", partial(through, program, kind), jobs, c_only=c_only
    )
    for name, label, program, jobs, c_only in (
        ("ceiling", "C client", "ceiling", 80_000, True),
        ("pika", "bare pika", "pika_bare", 25_000, False),
    )
    for kind in KINDS
] + [
    Contender(
        f"{name}_publish",
        f"{label}, only publishing, quorum queue",
        partial(publish, program, "quorum"),
        jobs,
        "messages/s",
        c_only,
    )
    for name, label, program, jobs, c_only in (
        ("ceiling", "C client", "ceiling", 80_000, True),
        ("pika", "bare pika", "pika_bare", 40_000, False),
    )
]
