"""Bare Celery, dramatiq and taskiq: one task that does nothing, workers as their commands start them."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.contender import Contender, Measured, rate
from benchmarks.stand import Stand

WARM: Final = 300


def _command(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def celery_worker(module: str, concurrency: int | None = None) -> list[str]:
    """The command of a Celery worker that logs warnings; as many processes as there are processors where nothing
    is said."""
    worker = [_command("celery"), "-A", module, "worker", "--loglevel=warning"]
    return worker if concurrency is None else [*worker, f"--concurrency={concurrency}"]


WORKERS: Final = {
    "celery": [*celery_worker("benchmarks.programs.celery_bare"), "-n", "bench@%h"],
    "dramatiq": [_command("dramatiq"), "benchmarks.programs.dramatiq_bare"],
    "taskiq": [_command("taskiq"), "worker", "benchmarks.programs.taskiq_bare:broker"],
}


def end_to_end(worker: str, sender: str, env: dict[str, str], stand: Stand, jobs: int) -> Measured:
    """A process sends as the library's users do, while its worker works; from the first sent to the last
    run."""
    environment = stand.environment(**env)
    with stand.running(worker, *WORKERS[worker], env=environment) as process:
        stand.ticks.reset()
        with stand.client("send", sender, str(WARM), env=environment) as client:
            client.line()
            stand.ticks.expect(WARM)
        stand.ticks.reset()
        with (
            stand.measuring(worker=process),
            stand.client("send", sender, str(jobs), env=environment) as client,
        ):
            value = rate(stand.ticks, float(client.line()), jobs, stand.limit)
    _delete(stand, "bench.dramatiq", "taskiq", *(f"bench.celery.{mode}" for mode in ("naive", "safe")))
    return Measured(value)


def _delete(stand: Stand, *queues: str) -> None:
    with stand.channel(stand.url) as channel:
        for queue in queues:
            channel.queue_delete(queue)


CONTENDERS: Final = [
    Contender(
        "celery_bare",
        "bare Celery, as it comes, end to end",
        partial(end_to_end, "celery", "celery", {"BENCH_CELERY": "naive"}),
        6_000,
    ),
    Contender(
        "celery_bare_safe",
        "bare Celery, safe, end to end",
        partial(end_to_end, "celery", "celery", {"BENCH_CELERY": "safe"}),
        3_000,
    ),
    Contender(
        "dramatiq",
        "dramatiq, as it comes, end to end",
        partial(end_to_end, "dramatiq", "dramatiq", {}),
        12_000,
    ),
    Contender(
        "dramatiq_confirms",
        "dramatiq, with confirms, end to end",
        partial(end_to_end, "dramatiq", "dramatiq", {"BENCH_CONFIRMS": "1"}),
        4_000,
    ),
    Contender(
        "taskiq", "taskiq, as it comes, end to end", partial(end_to_end, "taskiq", "taskiq", {}), 10_000
    ),
    Contender(
        "taskiq_one_by_one",
        "taskiq, each awaited, end to end",
        partial(end_to_end, "taskiq", "taskiq-one", {}),
        4_000,
    ),
]
