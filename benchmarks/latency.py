"""How soon an idle worker begins a job."""

from __future__ import annotations

import contextlib
import json
import statistics
import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any, Final

import pika

from benchmarks.ceilings import KINDS, QUEUE
from benchmarks.clients import Trouble
from benchmarks.contender import Contender, Measured
from benchmarks.labs import WORKERS, a_lab, running
from benchmarks.stand import Stand
from lab.broker.amqp import RABBITMQ_QUEUE
from lab.job import Job

EVERY_SECONDS: Final = 0.02
IDLE_SECONDS: Final = 0.05
WARM: Final = 25


def _send(stand: Stand, url: str, queue: str, count: int) -> None:
    """Publishes a job every 20 ms, each with the time of its sending, and waits until all have noted their start."""
    with stand.channel(url) as channel:
        due = time.monotonic()
        for number in range(count):
            due += EVERY_SECONDS
            channel.connection.sleep(max(0.0, due - time.monotonic()))
            _publish(channel, queue, number)
        # A quorum queue may lose what was not confirmed when its channel closes right after.
        stand.ticks.expect(8 * count)


def _publish(channel: Any, queue: str, number: int) -> None:
    properties = pika.BasicProperties(content_type="application/json", delivery_mode=2)
    job = Job(task_id=f"{number:036}", num=number, kind="bench_stamp", params={"sent_ns": 0})
    body = json.loads(job.to_json())
    body["params"]["sent_ns"] = time.time_ns()
    channel.basic_publish("", queue, json.dumps(body).encode(), properties)


def _measure(stand: Stand, url: str, queue: str, jobs: int) -> Measured:
    _send(stand, url, queue, WARM)
    stand.ticks.reset()
    with stand.measuring():
        _send(stand, url, queue, jobs)
    times = sorted(value / 1e6 for value in stand.ticks.times())
    if len(times) != jobs:
        raise Trouble(f"{len(times)} of {jobs} jobs noted their start")
    return Measured(statistics.median(times), {"p90": times[round(0.9 * (jobs - 1))]})


@contextlib.contextmanager
def _bare(stand: Stand) -> Iterator[tuple[str, str]]:
    stand.fresh_queue(QUEUE, KINDS["quorum"])
    command = ("-m", "benchmarks.programs.pika_bare", "stamp", stand.url, QUEUE)
    with stand.running("pika", *command, env=stand.environment()):
        yield stand.url, QUEUE


@contextlib.contextmanager
def _consumer(stand: Stand) -> Iterator[tuple[str, str]]:
    with a_lab(stand, LAB_TRACKED="0") as lab, running(stand, lab, "consumer"):
        yield stand.lab_url, RABBITMQ_QUEUE


def start_latency(who: Any, stand: Stand, jobs: int) -> Measured:
    """Milliseconds from publishing a message to the first line of its job, median."""
    stand.ticks.reset()
    with who(stand) as (url, queue):
        return _measure(stand, url, queue, jobs)


def idle(name: str, stand: Stand, jobs: int) -> Measured:
    """Milliseconds from taking a task in to its DONE in the store, reports in the path, median: an idle lab, and a
    job of no seconds every 50 ms."""
    method = WORKERS[name].method
    with a_lab(stand) as lab:
        lab.start_api()
        with running(stand, lab, name) as workers:
            for count in (WARM, jobs):
                tasks = []
                with stand.measuring(**workers, api=lab.api):
                    due = time.monotonic()
                    for _ in range(count):
                        due += IDLE_SECONDS
                        time.sleep(max(0.0, due - time.monotonic()))
                        tasks += [task["id"] for task in lab.submit(method, 0.0)]
                    told = lab.wait_for(tasks)
    took = sorted(_recorded_ms(task) for task in told.values())
    return Measured(statistics.median(took), {"p90": took[round(0.9 * (jobs - 1))]})


def _recorded_ms(task: dict[str, Any]) -> float:
    begin, end = (datetime.fromisoformat(task["events"][place]["recorded_at"]) for place in (0, -1))
    return (end - begin).total_seconds() * 1_000


CONTENDERS: Final = [
    Contender("latency_pika", "publish to start, idle, bare pika", partial(start_latency, _bare), 250, "ms"),
    Contender(
        "latency_consumer",
        "publish to start, idle, lab: consumer, safe, untracked",
        partial(start_latency, _consumer),
        250,
        "ms",
    ),
    *(
        Contender(f"idle_{key}", f"one idle job, taken in to stored, {label}", partial(idle, name), 100, "ms")
        for key, name, label in (
            ("consumer", "consumer_3", "lab: RabbitMQ, safe"),
            ("celery", "celery_3", "lab: Celery, safe"),
        )
    ),
]
