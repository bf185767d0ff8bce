"""The relay: how soon what waits in the outbox is with the broker, confirmed and marked so."""

from __future__ import annotations

from functools import partial
from typing import Final

from benchmarks.contender import Contender, Measured
from benchmarks.lab_store import Tracked
from benchmarks.labs import QUEUES, WARM, a_lab, empty_queues
from benchmarks.stand import Stand
from lab.delivery import Delivery
from store.migrate import migrate


def relay(method: str, stand: Stand, jobs: int) -> Measured:
    """One relay with its transport, in a process that does nothing else; nobody consumes."""
    with a_lab(stand) as lab:
        store = Tracked(lab, method, Delivery.SAFE)
        migrate(store.store.engine)
        with stand.client("relay", env=lab.env) as client:
            for count in (WARM, jobs):
                store.add(count, with_outbox=True)
                with stand.measuring():
                    store.release()
                    begin = float(client.ask(method))
                    end = store.wait_for_outbox(stand.limit + 60)
        store.store.close()
    empty_queues(stand)
    return Measured(jobs / (end - begin))


def delay_confirmed(stand: Stand, jobs: int) -> Measured:
    """A program that sends tasks over one producer that it holds, and waits for the confirm of each."""
    with (
        stand.measuring(),
        stand.client("send", "held-celery", str(jobs), env=stand.environment(BENCH_CELERY="safe")) as client,
    ):
        begin, end = client.times(stand.limit + 60)
    with stand.channel(stand.url) as channel:
        channel.queue_delete("bench.celery.safe")
    return Measured(jobs / (end - begin))


CONTENDERS: Final = [
    Contender(
        "delay_confirmed",
        "bare Celery, a held producer, confirms one by one",
        delay_confirmed,
        3_000,
        "messages/s",
    ),
    *(
        Contender(
            f"relay_{name}",
            f"lab: relay, outbox to {queue!r} confirmed and marked",
            partial(relay, method),
            jobs,
            "messages/s",
        )
        for name, method, queue, jobs in (
            ("consumer", "rabbitmq", QUEUES["rabbitmq"], 20_000),
            ("celery", "celery", QUEUES["celery"], 5_000),
        )
    ),
]
