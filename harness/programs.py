"""The lab's programs, as `make up` runs them."""

from __future__ import annotations

import sys

from harness.node import RabbitNode
from harness.supervision import Program

# One after the other these bound the whole stop: 30 s.
_STOP_WAIT = {"celery_beat": 2, "consumer": 6, "celery_worker": 6, "api": 4, "rmq": 10, "epmd": 2}

WORKERS = ("celery_worker", "consumer", "celery_beat")


def lab_programs() -> list[Program]:
    """The API, the workers and beat, which wait to be started.

    The workers' retries give a broker that comes late a minute: supervisord waits a second longer each time.
    """
    celery = ["celery", "-A", "celery_app"]
    modules = {
        "api": ["gunicorn", "-c", "api/gunicorn_conf.py", "api.wsgi:app"],
        "celery_worker": [*celery, "worker", "--loglevel=info", "--concurrency=3"],
        "consumer": ["consumer", "--concurrency", "3", "--grace", str(_STOP_WAIT["consumer"] - 2)],
        "celery_beat": [*celery, "beat", "--loglevel=info"],
    }
    return [
        Program(
            name,
            [sys.executable, "-m", *module],
            order=order,
            stop_wait=_STOP_WAIT[name],
            start_retries=10 if name in WORKERS else 3,
        )
        for order, (name, module) in enumerate(modules.items(), start=30)
    ]


def broker_programs(node: RabbitNode) -> list[Program]:
    """The node's parts, which start at once."""
    return [
        Program(
            name,
            command,
            order=order,
            stop_wait=_STOP_WAIT[name],
            env=node.variables,
            start_seconds=1,
            autostart=True,
        )
        for order, (name, command) in enumerate(node.commands.items(), start=10)
    ]
