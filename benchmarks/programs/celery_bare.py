"""Celery with one task and nothing of the lab's.

BENCH_CELERY says how it is set: `naive` as it comes; `safe` by the documented settings of the lab's safe mode.
"""

import os
import time
from typing import Any, Final

from celery import Celery
from kombu import Exchange, Queue

from benchmarks.programs import work
from lab.broker.amqp import CELERY_QUEUE, queue_arguments

SAFE: Final = {
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
    "worker_cancel_long_running_tasks_on_connection_loss": True,
    "worker_soft_shutdown_timeout": 10.0,
    "worker_enable_soft_shutdown_on_idle": True,
    "broker_heartbeat": 10,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_pool_acquire_timeout": 5,
    "broker_transport_options": {"confirm_publish": True, "read_timeout": 5, "write_timeout": 5},
    "accept_content": ["json"],
    "task_track_started": True,
    "task_default_exchange_type": "topic",
}


def make(mode: str, url: str) -> Celery:
    """The application set as `mode` says, over the broker at `url`."""
    made = Celery("bench", broker=url)
    queue = f"bench.celery.{mode}"
    made.conf.task_default_queue = queue
    if mode == "naive":
        return made
    made.conf.update(SAFE)
    exchange = Exchange(queue, type="topic")
    arguments = queue_arguments(CELERY_QUEUE)
    made.conf.task_queues = [Queue(queue, exchange, routing_key=queue, queue_arguments=arguments)]
    return made


app = make(os.environ["BENCH_CELERY"], os.environ["BENCH_URL"])


@app.task(name="bench_tick")  # type: ignore[untyped-decorator]
def bench_tick(task_num: int, seconds: float = 0.0) -> Any:  # noqa: ARG001 - differs for each job
    """`work.tick` as a task, after `seconds`."""
    if seconds:
        time.sleep(seconds)
    work.tick()
