"""The lab's own workers, with status reports and without, in both modes of delivery."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

from benchmarks import messages
from benchmarks.clients import Trouble
from benchmarks.contender import Contender, Measured, rate
from benchmarks.lab_store import Tracked
from benchmarks.peers import celery_worker
from benchmarks.programs import message_file
from benchmarks.stand import PREFETCH, Stand
from harness.lab import Lab
from harness.processes import ManagedProcess
from lab import amqp
from lab.delivery import Delivery

WARM: Final = 300
PROCESSES: Final = {"rabbitmq": os.cpu_count() or 1, "celery": 1}  # a Celery worker has its own
CONCURRENCY: Final = 2
QUEUES: Final = {"rabbitmq": amqp.RABBITMQ_QUEUE, "celery": amqp.CELERY_QUEUE}
WORKERS: Final = {
    "rabbitmq": [
        *("-m", "benchmarks.programs.lab_consumer", "--loglevel", "warning"),
        *("--concurrency", str(CONCURRENCY), "--prefetch", str(PREFETCH)),
    ],
    "celery": celery_worker("benchmarks.programs.lab_celery"),
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
def workers(stand: Stand, lab: Lab, method: str) -> Iterator[dict[str, ManagedProcess]]:
    """The workers of `method` as processes, by name: a consumer for each processor."""
    with contextlib.ExitStack() as stack:
        yield {
            f"worker{n}": stack.enter_context(
                stand.running(f"lab-{method}-{n}", *WORKERS[method], "-n", f"bench{n}@%h", env=lab.env)
            )
            for n in range(1, PROCESSES[method] + 1)
        }


def fill_queue(
    stand: Stand,
    method: str,
    delivery: Delivery,
    tickets: Iterable[messages.Ticket],
    *,
    results: bool = False,
) -> Callable[[], float]:
    """Writes the messages of `tickets`; what it returns publishes them, and tells when that began. Those of
    Celery say that nobody wants the `results` in its backend, or do not say so."""
    file = stand.folder / "messages"
    if method == "celery":
        message_file.write(file, messages.for_celery(tickets, ignore_result=not results))
    else:
        message_file.write(file, messages.for_consumer(tickets))
    queue = delivery.queue(QUEUES[method])
    return lambda: stand.publish(stand.lab_url, "", queue, file)[0]


def untracked(method: str, delivery: Delivery, results: bool, stand: Stand, jobs: int) -> Measured:
    """The worker reports no status; its queue is filled directly while it works."""
    env = {"LAB_TRACKED": "0", "DELIVERY": delivery.value}
    with a_lab(stand, **env) as lab, workers(stand, lab, method) as running:
        stand.ticks.reset()
        fill_queue(stand, method, delivery, messages.strangers(WARM))()
        stand.ticks.expect(WARM)
        stand.ticks.reset()
        publish = fill_queue(stand, method, delivery, messages.strangers(jobs), results=results)
        with stand.measuring(**running):
            value = rate(stand.ticks, publish(), jobs, stand.limit)
    return Measured(value)


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


def tracked(method: str, delivery: Delivery, relayed: bool, stand: Stand, jobs: int) -> Measured:
    """Every job IN_PROGRESS and DONE in the store. `relayed`: the tasks wait in the outbox and the API's relay
    publishes them; else the C client does. Until the last one is stored as DONE."""
    with tracked_lab(stand, method, delivery) as (lab, store), workers(stand, lab, method) as running:
        lab.submit(method, 0.0, WARM)
        if store.wait_done(WARM, 90)[0] < WARM:
            raise Trouble(f"{store.done()} of {WARM} tasks were done")
        tickets = store.add(jobs, with_outbox=relayed)
        extra = 1 if relayed else 0
        publish = None if relayed else fill_queue(stand, method, delivery, tickets)
        with stand.measuring(**running, api=lab.api):
            if publish is None:
                begin = store.release()
                lab.submit(method, 0.0, 1)  # wakes a relay, as every request does
            else:
                begin = publish()
            found, end = store.wait_done(WARM + jobs + extra, stand.limit)
        if found == WARM + jobs + extra:
            store.check()
    return Measured((found - WARM - extra) / (end - begin), {"all_done": float(found == WARM + jobs + extra)})


_NAMES: Final = {"rabbitmq": "consumer", "celery": "celery"}
_FILLED: Final = "queue filled directly"

CONTENDERS: Final = [
    *(
        Contender(
            f"{_NAMES[method]}_{delivery.value}_untracked",
            f"lab: {_NAMES[method]}, {delivery.value}, untracked, {_FILLED}",
            partial(untracked, method, delivery, False),
            jobs,
        )
        for method, jobs in (("rabbitmq", 40_000), ("celery", 6_000))
        for delivery in Delivery
    ),
    Contender(
        "celery_safe_untracked_results",
        "lab: celery, safe, untracked, results kept, queue filled directly",
        partial(untracked, "celery", Delivery.SAFE, True),
        1_000,
    ),
    *(
        Contender(
            f"{_NAMES[method]}_{delivery.value}_tracked",
            f"lab: {_NAMES[method]}, {delivery.value}, tracked, outbox to store",
            partial(tracked, method, delivery, True),
            jobs,
        )
        for method, jobs in (("rabbitmq", 20_000), ("celery", 3_000))
        for delivery in Delivery
    ),
    *(
        Contender(
            f"{_NAMES[method]}_safe_tracked_filled",
            f"lab: {_NAMES[method]}, safe, tracked, {_FILLED}",
            partial(tracked, method, Delivery.SAFE, False),
            jobs,
        )
        for method, jobs in (("rabbitmq", 20_000), ("celery", 4_000))
    ),
]
