"""The lab's own workers: with reports beside the path, in it, and with none."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from benchmarks import messages
from benchmarks.clients import Client, Trouble
from benchmarks.contender import Contender, Measured, rate
from benchmarks.lab_store import Tracked
from benchmarks.peers import celery_worker
from benchmarks.programs import message_file
from benchmarks.stand import PREFETCH, Stand
from harness.lab import Lab
from harness.processes import ManagedProcess
from lab.broker import amqp
from lab.delivery import Delivery

WARM: Final = 300
CORES: Final = os.cpu_count() or 1
QUEUES: Final = {"rabbitmq": amqp.RABBITMQ_QUEUE, "celery": amqp.CELERY_QUEUE}
CONSUMER: Final = ("-m", "benchmarks.programs.lab_consumer", "--loglevel", "warning")


@dataclass(frozen=True)
class Workers:
    """A contender's workers: `processes` of a command, which get a name by `-n`."""

    method: str
    delivery: Delivery
    command: Sequence[str]
    processes: int = 1


WORKERS: Final = {
    "celery_naive": Workers("celery", Delivery.NAIVE, celery_worker("benchmarks.programs.lab_celery")),
    "celery_safe": Workers("celery", Delivery.SAFE, celery_worker("benchmarks.programs.lab_celery")),
    "tutorial": Workers(
        "rabbitmq", Delivery.NAIVE, ("-m", "benchmarks.programs.lab_consumer", "tutorial"), CORES
    ),
    # As one tunes a consumer for short jobs: a process for each processor, and messages at hand.
    "consumer": Workers(
        "rabbitmq", Delivery.SAFE, (*CONSUMER, "--concurrency", "2", "--prefetch", str(PREFETCH)), CORES
    ),
    "consumer_64": Workers(
        "rabbitmq",
        Delivery.SAFE,
        (*CONSUMER, "--concurrency", str(64 // CORES), "--prefetch", str(PREFETCH)),
        CORES,
    ),
    "consumer_3": Workers("rabbitmq", Delivery.SAFE, (*CONSUMER, "--concurrency", "3")),
    "celery_3": Workers("celery", Delivery.SAFE, celery_worker("benchmarks.programs.lab_celery", 3)),
}


def empty_queues(stand: Stand) -> None:
    """Makes the lab's queues where they are not there, and empties them."""
    with stand.channel(stand.lab_url) as channel:
        amqp.declare_topology(channel)
        for queue in QUEUES.values():
            for delivery in Delivery:
                channel.queue_purge(delivery.queue(queue))


@contextlib.contextmanager
def a_lab(stand: Stand, **env: str) -> Iterator[Lab]:
    """A lab with a folder and a store of its own, both gone afterwards."""
    base = stand.folder / "lab"
    shutil.rmtree(base, ignore_errors=True)
    empty_queues(stand)
    lab = stand.lab(base, **env)
    try:
        yield lab
    finally:
        lab.stop()


@contextlib.contextmanager
def running(stand: Stand, lab: Lab, name: str) -> Iterator[dict[str, ManagedProcess]]:
    """The workers WORKERS[name] as processes, by name."""
    of = WORKERS[name]
    with contextlib.ExitStack() as stack:
        yield {
            f"worker{n}": stack.enter_context(
                stand.running(f"lab-{name}-{n}", *of.command, "-n", f"bench{n}@%h", env=lab.env)
            )
            for n in range(1, of.processes + 1)
        }


def fill_queue(
    stand: Stand, of: Workers, tickets: Iterable[messages.Ticket], *, beside: bool = True, equal: bool = False
) -> Callable[[], float]:
    """Writes the messages of `tickets`; what it returns publishes them, and tells when that began."""
    file = stand.folder / "messages"
    make = messages.for_celery if of.method == "celery" else messages.for_consumer
    message_file.write(file, make(tickets, beside=beside, equal=equal))
    queue = of.delivery.queue(QUEUES[of.method])
    return lambda: stand.publish(stand.lab_url, "", queue, file)[0]


@contextlib.contextmanager
def tracked_lab(stand: Stand, method: str, delivery: Delivery) -> Iterator[tuple[Lab, Tracked]]:
    """A lab whose API runs, and its store."""
    with a_lab(stand, DELIVERY=delivery.value) as lab:
        lab.start_api()
        tracked = Tracked(lab, method, delivery)
        try:
            yield lab, tracked
        finally:
            tracked.store.close()


def filled(name: str, tracked: bool, equal: bool, stand: Stand, jobs: int) -> Measured:
    """The queue is filled by the C client while the workers work; the last job run counts.

    Args:
        tracked: each job's reports travel beside it, to an API that stores them; else nobody is told anything.
        equal: all jobs have the same parameters.
    """
    of = WORKERS[name]
    with contextlib.ExitStack() as stack:
        tickets: Iterable[messages.Ticket] = messages.strangers(jobs)
        if tracked:
            lab, store = stack.enter_context(tracked_lab(stand, of.method, of.delivery))
            tickets = store.add(jobs, with_outbox=False)
        else:
            lab = stack.enter_context(a_lab(stand, LAB_TRACKED="0", DELIVERY=of.delivery.value))
        workers = stack.enter_context(running(stand, lab, name))
        stand.ticks.reset()
        fill_queue(stand, of, messages.strangers(WARM))()
        stand.ticks.expect(WARM)
        stand.ticks.reset()
        publish = fill_queue(stand, of, tickets, equal=equal)
        with stand.measuring(**workers):
            value = rate(stand.ticks, publish(), jobs, stand.limit)
    return Measured(value)


def stored(name: str, in_path: bool, stand: Stand, jobs: int) -> Measured:
    """End to end, until every job is DONE in the store: by the API's relay where the reports are in the path,
    by a program that publishes by itself where they travel beside it."""
    of, extra = WORKERS[name], int(in_path)
    with (
        tracked_lab(stand, of.method, of.delivery) as (lab, tracked),
        running(stand, lab, name) as workers,
        contextlib.ExitStack() as stack,
    ):
        lab.submit(of.method, 0.0, WARM)
        if tracked.wait_done(WARM, 90)[0] < WARM:
            raise Trouble(f"{tracked.done()} of {WARM} tasks were done")
        tickets = tracked.add(jobs, with_outbox=in_path)
        client = None if in_path else stack.enter_context(_publisher(stand, lab, tickets))
        with stand.measuring(**workers, api=lab.api):
            if client is None:
                begin = tracked.release()
                lab.submit(of.method, 0.0, 1)  # wakes a relay, as every request does
            else:
                begin = float(client.ask("go"))
            found, end = tracked.wait_done(WARM + jobs + extra, stand.limit)
        if found == WARM + jobs + extra:
            tracked.check()
    return Measured((found - WARM - extra) / (end - begin), {"all_done": float(found == WARM + jobs + extra)})


def _publisher(stand: Stand, lab: Lab, tickets: Iterable[messages.Ticket]) -> Client:
    """A program that publishes a job for each ticket, when it is told to go."""
    file = stand.folder / "tickets"
    file.write_text("".join(f"{ticket.task_id} {ticket.token}\n" for ticket in tickets))
    client = stand.client("publish_beside", str(file), env=lab.env)
    client.line()
    return client


_NAMES: Final = {
    "celery_naive": "Celery, as it comes",
    "celery_safe": "Celery, safe",
    "tutorial": "RabbitMQ, by the tutorial",
    "consumer": "RabbitMQ, safe",
}
_JOBS: Final = {"celery_naive": 6_000, "celery_safe": 5_000, "tutorial": 12_000, "consumer": 30_000}
_WAYS: Final = {
    "untracked": ("no reports", False, False),
    "equal": ("no reports, jobs all alike", False, True),
    "beside": ("reports beside", True, False),
}

CONTENDERS: Final = [
    *(
        Contender(
            f"{name}_{way}",
            f"lab: {label}, {words}, queue filled directly",
            partial(filled, name, tracked, equal),
            _JOBS[name],
        )
        for name, label in _NAMES.items()
        for way, (words, tracked, equal) in _WAYS.items()
    ),
    Contender(
        "consumer_stored",
        "lab: RabbitMQ, safe, reports beside, publisher to store",
        partial(stored, "consumer", False),
        20_000,
    ),
    Contender(
        "consumer_in_path",
        "lab: RabbitMQ, safe, reports in the path, 64 at once, outbox to store",
        partial(stored, "consumer_64", True),
        10_000,
    ),
    Contender(
        "celery_in_path",
        "lab: Celery, safe, reports in the path, outbox to store",
        partial(stored, "celery_safe", True),
        2_000,
    ),
]
