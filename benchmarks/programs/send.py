"""Sends COUNT jobs as a contender's users do, each of SECONDS:
send celery|held-celery|dramatiq|taskiq|taskiq-one|pika-naive|pika-safe COUNT [SECONDS].

Prints when it began, in seconds of time.monotonic(), before the first one goes, and again when all have gone.
"""

import asyncio
import json
import os
import sys
import time

GATHERED = 1_000


def _tell() -> None:
    print(time.monotonic(), flush=True)


def celery(count: int, seconds: float) -> None:
    from benchmarks.programs.celery_bare import bench_tick

    with bench_tick.app.connection_for_write() as connection:
        connection.connect()
    _tell()
    for number in range(count):
        bench_tick.delay(number, seconds)


def held_celery(count: int) -> None:
    from benchmarks.programs.celery_bare import bench_tick

    with bench_tick.app.producer_or_acquire() as producer:
        bench_tick.apply_async((0, 0.0), producer=producer)  # connects and declares
        _tell()
        for number in range(count):
            bench_tick.apply_async((number, 0.0), producer=producer)


def dramatiq(count: int) -> None:
    from benchmarks.programs.dramatiq_bare import bench_tick

    _tell()
    for number in range(count):
        bench_tick.send(number)


def pika_(count: int, seconds: float, *, safe: bool) -> None:
    import pika

    channel = pika.BlockingConnection(pika.URLParameters(os.environ["BENCH_URL"])).channel()
    if safe:
        channel.confirm_delivery()
    properties = pika.BasicProperties(delivery_mode=2)
    queue = f"bench.pika.{'safe' if safe else 'naive'}"
    _tell()
    for number in range(count):
        body = json.dumps({"num": number, "seconds": seconds}).encode()
        channel.basic_publish("", queue, body, properties, mandatory=safe)
    channel.connection.close()


async def _taskiq(count: int, at_once: int) -> None:
    from benchmarks.programs.taskiq_bare import bench_tick, broker

    await broker.startup()
    _tell()
    for start in range(0, count, at_once):
        await asyncio.gather(*(bench_tick.kiq(i) for i in range(start, min(start + at_once, count))))
    await broker.shutdown()


if __name__ == "__main__":
    name, jobs, asked = sys.argv[1], int(sys.argv[2]), float((*sys.argv[3:], 0.0)[0])
    match name:
        case "celery":
            celery(jobs, asked)
        case "held-celery":
            held_celery(jobs)
        case "dramatiq":
            dramatiq(jobs)
        case "pika-naive" | "pika-safe":
            pika_(jobs, asked, safe=name == "pika-safe")
        case _:
            asyncio.run(_taskiq(jobs, 1 if name == "taskiq-one" else GATHERED))
    _tell()
