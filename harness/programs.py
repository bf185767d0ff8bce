"""The lab's programs, as `make up` runs them."""

from __future__ import annotations

import sys

from harness.node import RabbitNode
from harness.supervision import Program

WORKERS = ("celery_worker", "consumer", "celery_beat")
CONSUMER_SECONDS = 6


def lab_programs() -> list[Program]:
    """The API, the workers and beat, which wait to be started.

    The workers' retries give a broker that comes late a minute: supervisord waits a second longer each time.
    One after the other the seconds that a stop may take, the broker's 12 among them, bound the whole stop: 30 s.
    """
    python = [sys.executable, "-m"]
    celery = [*python, "celery", "-A", "celery_app"]
    worker = [*celery, "worker", "--loglevel=info", "--concurrency=3"]
    consumer = [*python, "consumer", "--concurrency", "3", "--grace", str(CONSUMER_SECONDS - 2)]
    api = [*python, "gunicorn", "-c", "api/gunicorn_conf.py", "api.wsgi:app"]
    return [
        Program("api", api, order=30, stop_wait=4),
        Program("celery_worker", worker, order=40, stop_wait=6, start_retries=10),
        Program("consumer", consumer, order=50, stop_wait=CONSUMER_SECONDS, start_retries=10),
        Program("celery_beat", [*celery, "beat", "--loglevel=info"], order=60, stop_wait=2, start_retries=10),
    ]


def broker_programs(node: RabbitNode) -> list[Program]:
    """The node's parts, which start at once."""
    env, commands = node.variables, node.commands
    return [
        Program("epmd", commands["epmd"], order=10, stop_wait=2, env=env, start_seconds=1, autostart=True),
        Program("rmq", commands["rmq"], order=11, stop_wait=10, env=env, start_seconds=1, autostart=True),
    ]
