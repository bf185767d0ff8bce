"""taskiq with one task over aio-pika, as it comes: a quorum queue, and each message confirmed."""

import os

from taskiq_aio_pika import AioPikaBroker

from benchmarks.programs import work

broker = AioPikaBroker(os.environ["BENCH_URL"])


@broker.task(task_name="bench_tick")
async def bench_tick(task_num: int) -> None:  # noqa: ARG001 - as the others' messages have it
    """`work.tick` as a task."""
    work.tick()
