"""Sends COUNT jobs as a contender's users do: send celery|dramatiq|taskiq|taskiq-one COUNT.

Prints when it began, in seconds of time.monotonic(), before the first one goes.
"""

import asyncio
import sys
import time

GATHERED = 1_000


def _begin() -> None:
    print(time.monotonic(), flush=True)


def celery(count: int) -> None:
    from benchmarks.programs.celery_bare import bench_tick

    with bench_tick.app.connection_for_write() as connection:
        connection.connect()
    _begin()
    for number in range(count):
        bench_tick.delay(task_num=number)


def dramatiq(count: int) -> None:
    from benchmarks.programs.dramatiq_bare import bench_tick

    _begin()
    for number in range(count):
        bench_tick.send(number)


async def _taskiq(count: int, at_once: int) -> None:
    from benchmarks.programs.taskiq_bare import bench_tick, broker

    await broker.startup()
    _begin()
    for start in range(0, count, at_once):
        await asyncio.gather(*(bench_tick.kiq(i) for i in range(start, min(start + at_once, count))))
    await broker.shutdown()


if __name__ == "__main__":
    name, jobs = sys.argv[1], int(sys.argv[2])
    if name == "celery":
        celery(jobs)
    elif name == "dramatiq":
        dramatiq(jobs)
    else:
        asyncio.run(_taskiq(jobs, 1 if name == "taskiq-one" else GATHERED))
