"""dramatiq with one actor, as it comes; BENCH_CONFIRMS=1 has each message confirmed."""

import os

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from benchmarks.programs import work

dramatiq.set_broker(
    RabbitmqBroker(url=os.environ["BENCH_URL"], confirm_delivery=os.environ.get("BENCH_CONFIRMS") == "1")
)


@dramatiq.actor(queue_name="bench.dramatiq")
def bench_tick(task_num: int) -> None:  # noqa: ARG001 - as the others' messages have it
    """`work.tick` as an actor."""
    work.tick()
