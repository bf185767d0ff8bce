"""The Celery instance and its configuration: `celery -A celery_app worker`.

Each setting is explained in https://docs.celeryq.dev/en/stable/userguide/configuration.html
"""

import logging
from pathlib import Path
from typing import Any, Final

import celery.app.trace
from celery import Celery
from celery.signals import after_setup_logger, after_setup_task_logger
from kombu import Exchange, Queue

from lab.amqp import CELERY_QUEUE, HEARTBEAT_SECONDS, queue_arguments
from lab.delivery import Delivery
from lab.logs import DATE_FORMAT, LOG_FORMAT, RECEIVED
from lab.settings import Settings

_SQLITE = "db+sqlite:///"

# What the safe mode sets beyond Celery's defaults.
SAFE: Final = {
    "worker_consumer": "celery_consumer:DeadLetteringConsumer",
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
    "worker_cancel_long_running_tasks_on_connection_loss": True,
    "worker_soft_shutdown_timeout": 10.0,
    "broker_heartbeat": HEARTBEAT_SECONDS,
    "broker_pool_acquire_timeout": 5,
}
CONFIRMED: Final = {"confirm_publish": True, "read_timeout": 5, "write_timeout": 5}


def create_celery(settings: Settings, delivery: Delivery) -> Celery:
    """The lab's Celery application in the mode `delivery`. Nothing connects until a task is sent or a
    worker starts."""
    if settings.result_backend.startswith(_SQLITE):
        Path(settings.result_backend.removeprefix(_SQLITE)).parent.mkdir(parents=True, exist_ok=True)
    over_amqp = settings.celery_broker_url.startswith("amqp")
    app = Celery(
        "tasks",
        broker=settings.celery_broker_url,
        backend=settings.result_backend,
        include=["celery_tasks"],
    )
    queue = delivery.queue(CELERY_QUEUE)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        task_track_started=True,
        task_default_queue=queue,
        # Countdowns on quorum queues need a topic exchange.
        task_default_exchange_type="topic" if delivery is Delivery.SAFE else "direct",
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
    )
    app.conf.task_queues = [
        Queue(
            queue,
            Exchange(queue, type=app.conf.task_default_exchange_type),
            routing_key=queue,
            queue_arguments=queue_arguments(CELERY_QUEUE, delivery) if over_amqp else None,
        )
    ]
    if delivery is Delivery.SAFE:
        app.conf.update(SAFE)
        app.conf.broker_transport_options = CONFIRMED if over_amqp else {"visibility_timeout": 2 * 3600}
    return app


@after_setup_logger.connect
@after_setup_task_logger.connect
def _same_log_lines_as_the_consumer(logger: logging.Logger, **_: Any) -> None:
    for handler in logger.handlers:
        handler.setFormatter(logging.Formatter(LOG_FORMAT, DATE_FORMAT))


celery.app.trace.LOG_RECEIVED = RECEIVED
settings = Settings.from_env()
celery_app = create_celery(settings, settings.delivery)
