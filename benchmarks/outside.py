"""The lab's experiments against the same contenders outside: plain Celery and plain pika, nothing of the lab.

Both run the same load on the same node, one after the other: 3,000 no-ops, and 500 jobs of 10 ms, at three at once.
"""

from __future__ import annotations

import contextlib
import math
import statistics
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from benchmarks.clients import Trouble
from benchmarks.contender import Contender, Measured, rate
from benchmarks.labs import a_lab
from benchmarks.peers import celery_worker
from benchmarks.stand import Stand
from harness.lab import Lab
from lab.delivery import Delivery

AT_ONCE: Final = 3
WARM: Final = 20 * AT_ONCE
LOADS: Final = {"noop": (0.0, 3_000), "wait": (0.01, 500)}
"""Seconds of a job, and how many there are."""
BURSTS: Final = 3
"""How often each load is run by the same workers; the median counts."""


@contextlib.contextmanager
def _worker(stand: Stand, method: str, delivery: Delivery) -> Iterator[dict[str, str]]:
    """A contender's workers; the environment of who sends to them."""
    env = stand.environment(BENCH_CELERY=delivery.value)
    with contextlib.ExitStack() as stack:
        if method == "celery":
            command = [*celery_worker("benchmarks.programs.celery_bare", AT_ONCE), "-n", "outside@%h"]
            stack.enter_context(stand.running("outside-celery", *command, env=env))
        else:
            queue = f"bench.pika.{delivery}"
            limited = {"x-queue-type": "quorum", "x-delivery-limit": 5}
            stand.fresh_queue(queue, limited if delivery is Delivery.SAFE else {})
            for n in range(AT_ONCE):
                command = ["-m", "benchmarks.programs.pika_work", queue]
                stack.enter_context(stand.running(f"outside-pika-{n}", *command, env=env))
        yield env


@contextlib.contextmanager
def _watched(stand: Stand) -> Iterator[None]:
    """Watches the machine while a load runs, and not while processes come and go; the worst counts."""
    before = stand.busy.foreign or 0.0
    with stand.measuring():
        yield
    stand.busy.foreign = max(before, stand.busy.foreign or 0.0)


def outside(
    method: str, delivery: Delivery, stand: Stand, loads: Mapping[str, tuple[float, int]]
) -> dict[str, float]:
    """Jobs a second, by load: from the first one sent to the last one run."""
    sender = "celery" if method == "celery" else f"pika-{delivery}"

    def burst(env: dict[str, str], seconds: float, count: int) -> float:
        stand.ticks.reset()
        with stand.client("send", sender, str(count), str(seconds), env=env) as client:
            begin = float(client.line())
            with _watched(stand):
                found = rate(stand.ticks, begin, count, stand.limit)
            client.line()
        return found

    with _worker(stand, method, delivery) as env:
        burst(env, 0.0, WARM)
        return {
            name: statistics.median(burst(env, seconds, jobs) for _ in range(BURSTS))
            for name, (seconds, jobs) in loads.items()
        }


def inside(
    method: str,
    delivery: Delivery,
    stand: Stand,
    loads: Mapping[str, tuple[float, int]],
    *,
    reports: str = "beside",
) -> dict[str, float]:
    """The same by an experiment of the lab, one for each load."""
    with a_lab(stand, DELIVERY=delivery.value) as lab:
        lab.start_api()
        if method == "celery":
            lab.start_celery(AT_ONCE)
        else:
            lab.start_consumer(AT_ONCE)
        return {
            name: _throughput(
                stand,
                lab,
                {
                    "arms": [{"method": method, "delivery": delivery.value}],
                    "jobs": jobs,
                    "work": "wait" if seconds else "noop",
                    "duration": {"law": "fixed", "seconds": seconds},
                    "repetitions": BURSTS,
                    "equalise": False,
                    "reports": reports,
                },
            )
            for name, (seconds, jobs) in loads.items()
        }


def _throughput(stand: Stand, lab: Lab, plan: dict[str, Any]) -> float:
    answer = lab.session.post(f"{lab.url}/api/experiments", json=plan, timeout=30)
    if not answer.ok:
        raise Trouble(answer.text)
    at = f"{lab.url}/api/experiments/{answer.json()['id']}"
    deadline = time.monotonic() + BURSTS * stand.limit + 60
    with _watched(stand):
        while (told := lab.session.get(at, timeout=30).json())["status"] in ("PENDING", "IN_PROGRESS"):
            if time.monotonic() > deadline:
                raise Trouble(f"the experiment has not ended: {told['step']}")
            time.sleep(0.5)
    if told["status"] != "DONE":
        raise Trouble(f"the experiment ended {told['status']}: {told['error']}")
    figures = [run["figures"] for run in told["runs"] if run["turn"]]
    if any(one["lost"] or one["duplicates"] for one in figures):
        raise Trouble("the experiment lost jobs, or ran some twice")
    return statistics.median(one["throughput"] for one in figures)


def compare(method: str, delivery: Delivery, stand: Stand, jobs: int) -> Measured:
    """The lab's throughput ÷ the one outside, by load; its value is that of the load in which the two differ most."""
    loads = {name: (seconds, min(jobs, count)) for name, (seconds, count) in LOADS.items()}
    out = outside(method, delivery, stand, loads)
    lab = inside(method, delivery, stand, loads)
    ratios = {name: lab[name] / out[name] for name in loads}
    worst = max(ratios.values(), key=lambda value: abs(math.log(value)))
    more = {f"{name}_ratio": value for name, value in ratios.items()}
    more |= {f"outside_{name}": value for name, value in out.items()}
    return Measured(worst, more | {f"lab_{name}": value for name, value in lab.items()})


def in_path(method: str, stand: Stand, jobs: int) -> Measured:
    """Jobs a second of an experiment of no-ops whose reports are in the path."""
    found = inside(method, Delivery.SAFE, stand, {"noop": (0.0, jobs)}, reports="in_path")
    return Measured(found["noop"])


_NAMES: Final = {"celery": "Celery", "rabbitmq": "RabbitMQ"}

CONTENDERS: Final = [
    *(
        Contender(
            f"outside_{method}_{delivery}",
            f"{name}, {delivery}: the lab's experiment ÷ the same outside",
            partial(compare, method, delivery),
            LOADS["noop"][1],
            "",
        )
        for method, name in _NAMES.items()
        for delivery in Delivery
    ),
    *(
        Contender(
            f"in_path_{method}",
            f"lab: experiment, {name}, safe, reports in the path",
            partial(in_path, method),
            1_500,
        )
        for method, name in _NAMES.items()
    ),
]
