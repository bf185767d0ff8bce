"""What Celery workers answer to the lab's control page beyond Celery's own commands: all that it shows, in one
broadcast.

From a shell: `celery -A celery_tasks inspect lab_picture`, `celery -A celery_tasks inspect lab_usage`; Celery's command
line has to import them first.
https://docs.celeryq.dev/en/stable/userguide/workers.html#writing-your-own-remote-control-commands
"""

import logging
import os
from importlib import import_module
from typing import Any

from celery import bootsteps
from celery.utils.time import rate
from celery.worker.control import (
    active,
    inspect_command,
    registered,
    reserved,
    scheduled,
    stats,
)
from celery.worker.state import total_count

from celery_app import celery_app, settings
from celery_worker.reporting import known_clock_offset
from lab import usage
from lab.broker.traffic import with_broker


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
        "prefetch": _prefetch(consumer),
        "pool": type(consumer.pool).__module__.rpartition(".")[2],
        "pool_class": _class(consumer.pool),
        "consumer_class": _class(consumer),
        "changed_by_lab": [
            name
            for name, part in (("pool", consumer.pool), ("consumer", consumer))
            if not type(part).__module__.startswith("celery.")
        ],
        "log_level": logging.getLevelName(consumer.controller.loglevel),
        "heartbeat": int(consumer.amqheartbeat or 0),
        "events": _events(consumer),
        "results": (state.app.conf.result_backend or "none").partition(":")[0],
        "connections": _connections(consumer),
        "acknowledgement": "after_job" if state.app.conf.task_acks_late else "at_begin",
        "versions": _versions(consumer.connection),
        "active": [_brief(task) for task in active(state)],
        "reserved": len(reserved(state)),
        # What a rate limit holds Celery counts nowhere.
        "scheduled": len(scheduled(state)) + len(held),
        "begun": sum(figures["total"].values()),
        "kinds": [name.partition(" ")[0] for name in registered(state)],
        "rate_limits": {
            name: str(task.rate_limit) for name, task in state.app.tasks.items() if rate(task.rate_limit)
        },
        "clock_offset": known_clock_offset(),
    }


@inspect_command()  # type: ignore[untyped-decorator]
def lab_usage(state: Any, **_: Any) -> dict[str, Any]:  # noqa: ARG001 - as each is called
    """What this worker and its processes have used since they began, `lab.usage.answer`, how many tasks it has begun,
    and how far its clock is off. What its processes sent over connections of their own, as chords do, is not in it."""
    carried = with_broker(settings.celery_broker_url)
    return {
        **usage.answer(os.getpid(), carried),
        "pid": os.getpid(),
        "delivery": settings.delivery.value,
        "begun": sum(total_count.values()),
        "clock_offset": known_clock_offset(),
    }


class _AppliedPrefetch(bootsteps.StartStopStep):  # type: ignore[misc]
    """Notes the prefetch that the worker began to consume with, over each connection."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        """Called when `parent`, the worker's consumer, has begun to consume."""
        parent.lab_prefetch = parent.initial_prefetch_count


celery_app.steps["consumer"].add(_AppliedPrefetch)


def _prefetch(consumer: Any) -> int:
    """What the broker applies: on quorum queues no change reaches a consumer that is there already."""
    return int(consumer.qos.value if consumer.qos_global else consumer.lab_prefetch)


def _class(of: Any) -> str:
    return f"{type(of).__module__}:{type(of).__qualname__}"


def _events(consumer: Any) -> str:
    steps = {type(step).__name__ for step in consumer.steps}
    dispatcher = consumer.event_dispatcher
    of_tasks = bool(dispatcher and dispatcher.enabled and not dispatcher.groups)
    told = {"task events": of_tasks, "gossip": consumer.gossip.enabled, "mingle": "Mingle" in steps}
    return ", ".join(f"{name} {'on' if on else 'off'}" for name, on in told.items())


def _connections(consumer: Any) -> int:
    dispatcher = consumer.event_dispatcher
    return 1 + int(bool(dispatcher and dispatcher.enabled))


def _versions(connection: Any) -> dict[str, str]:
    """Of the libraries that a worker runs with, by package: as they were loaded, whatever is installed by now."""
    client = "redis" if connection.transport.driver_type == "redis" else "amqp"
    return {name: import_module(name).__version__ for name in ("celery", "kombu", client, "billiard")}


def _brief(info: dict[str, Any]) -> dict[str, Any]:
    """A task without its arguments, which may be long, but with the number that the lab gave it."""
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
