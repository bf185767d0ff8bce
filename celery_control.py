"""What Celery workers answer to the lab's control page beyond Celery's own commands: all that it shows in
one broadcast, and a pool that grows on a quorum queue too.

From a shell: `celery -A celery_tasks inspect lab_picture`, `celery -A celery_tasks inspect lab_usage`,
`celery -A celery_tasks control lab_pool 2`; Celery's command line has to import them first.
https://docs.celeryq.dev/en/stable/userguide/workers.html#writing-your-own-remote-control-commands
"""

import os
from importlib import import_module
from typing import Any

from celery.worker.control import (
    active,
    control_command,
    inspect_command,
    registered,
    reserved,
    scheduled,
    stats,
)

from celery_app import settings
from lab import traffic, usage


@inspect_command()  # type: ignore[untyped-decorator]
def lab_picture(state: Any, **_: Any) -> dict[str, Any]:
    """What the lab's control page shows of a worker."""
    consumer = state.consumer
    figures = stats(state)
    held = [request for bucket in consumer.task_buckets.values() if bucket for request, _ in bucket.contents]
    return {
        "pid": figures["pid"],
        "started_at": consumer.controller.startup_time.isoformat(),
        "delivery": settings.delivery.value,
        # Its own figure, max-concurrency, stays what it was when the pool grows.
        "concurrency": consumer.pool.num_processes,
        "prefetch": consumer.qos.value,
        "pool": _kind_of_pool(consumer.pool),
        "acknowledgement": "after_job" if state.app.conf.task_acks_late else "at_begin",
        "versions": _versions(consumer.connection),
        "active": [_brief(task) for task in active(state)],
        "reserved": len(reserved(state)),
        # What a rate limit holds Celery counts nowhere.
        "scheduled": len(scheduled(state)) + len(held),
        "begun": sum(figures["total"].values()),
        "kinds": [name.partition(" ")[0] for name in registered(state)],
        "rate_limits": {
            name: str(task.rate_limit) for name, task in state.app.tasks.items() if task.rate_limit
        },
    }


@inspect_command(args=[("reset", bool)], signature="[reset]")  # type: ignore[untyped-decorator]
def lab_usage(state: Any, reset: bool = False, **_: Any) -> dict[str, Any]:
    """What this worker and its processes have used since they began: `lab.usage.answer`. What its
    processes sent over connections of their own, as chords do, is not in it."""
    consumer = state.consumer
    connections = [consumer.connection, getattr(consumer.event_dispatcher, "connection", None)]
    carried = traffic.total(traffic.of_kombu(connection) for connection in connections)
    told = usage.answer(os.getpid(), carried or traffic.Traffic(), reset=reset)
    return {**told, "pid": os.getpid(), "delivery": settings.delivery.value}


@control_command(args=[("n", int)], signature="<N or -N>")  # type: ignore[untyped-decorator]
def lab_pool(state: Any, n: int, **_: Any) -> dict[str, Any]:
    """Grow the pool by N processes, or shrink it, to no fewer than one.

    Celery's own pool_grow raises the prefetch too, but only for later consumers where the queue is a
    quorum queue, and its pool_shrink goes down to no process at all.
    """
    consumer = state.consumer
    before = consumer.pool.num_processes
    n = max(n, 1 - before)
    error = None
    try:
        if n > 0:
            consumer.pool.grow(n)
        elif n < 0:
            consumer.pool.shrink(-n)
    except ValueError as refusal:
        error = str(refusal)
    now = consumer.pool.num_processes
    if now != before:
        consumer._update_prefetch_count(now - before)
        if not consumer.qos_global:
            _consume_anew(consumer)
    return {"ok": f"{now} processes"} if error is None else {"error": error}


@control_command()  # type: ignore[untyped-decorator]
def lab_look(state: Any, **_: Any) -> None:
    """Look into the priority queue now: something was put there."""
    priorities = getattr(state.consumer, "priorities", None)
    if priorities is not None:
        priorities.look()


def _consume_anew(consumer: Any) -> None:
    """Has the broker apply the prefetch: https://www.rabbitmq.com/docs/consumer-prefetch"""
    consumer.task_consumer.cancel()
    consumer.qos.update()
    consumer.task_consumer.consume()


def _kind_of_pool(pool: Any) -> str:
    """Celery's own name for it: that of its module, which the lab's pool of processes builds on."""
    modules = [kind.__module__ for kind in type(pool).__mro__]
    return next(name for name in modules if name.startswith("celery.concurrency.")).rpartition(".")[2]


def _versions(connection: Any) -> dict[str, str]:
    """Of the libraries that a worker runs with, by package: as they were loaded, whatever is installed by now."""
    client = "redis" if connection.transport.driver_type == "redis" else "amqp"
    return {name: import_module(name).__version__ for name in ("celery", "kombu", client, "billiard")}


def _brief(info: dict[str, Any]) -> dict[str, Any]:
    """A task without its arguments, which may be long, save the number that the lab gave it."""
    args, kwargs = info["args"], info["kwargs"]
    num = kwargs.get("task_num") if isinstance(kwargs, dict) else None
    if num is None and isinstance(args, list | tuple) and args:
        num = args[0]
    return {
        "id": info["id"],
        "kind": info["name"],
        "num": num if isinstance(num, int) else None,
        "since_s": info["time_start"],
    }
