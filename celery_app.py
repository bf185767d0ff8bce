"""The Celery instance and its configuration: `celery -A celery_app worker`, `celery -A celery_app beat`.

Stock Celery with documented settings; docs/why/contenders.md says what the lab adds.
https://docs.celeryq.dev/en/stable/userguide/configuration.html
"""

import logging
from pathlib import Path
from typing import Any, Final

from celery import Celery
from celery.app.trace import LOG_RECEIVED
from celery.schedules import BaseSchedule, crontab, schedule
from celery.signals import after_setup_logger, after_setup_task_logger
from kombu import Exchange, Queue

from celery_worker.frames import TolerantFrames
from lab.broker.amqp import (
    CELERY_QUEUE,
    HEARTBEAT_SECONDS,
    OPEN_QUEUE,
    priority_arguments,
    priority_queue,
    queue_arguments,
)
from lab.delivery import Delivery
from lab.jobs.experiment import experiment_job
from lab.logs import DATE_FORMAT, LOG_FORMAT, RECEIVED
from lab.schedule import ENTRIES, Every, Rule
from lab.settings import Settings

HARD_LIMIT_SECONDS: Final = 5.0  # after the soft one
_SQLITE = "db+sqlite:///"

# What the safe mode sets beyond Celery's defaults.
SAFE: Final = {
    "worker_consumer": "celery_worker.dead_letters:DeadLetteringConsumer",
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
    "worker_cancel_long_running_tasks_on_connection_loss": True,
    "worker_soft_shutdown_timeout": 10.0,
    "worker_enable_soft_shutdown_on_idle": True,
    "broker_heartbeat": HEARTBEAT_SECONDS,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_pool_acquire_timeout": 5,
    "accept_content": ["json"],
    "task_track_started": True,
    # Countdowns on quorum queues need a topic exchange.
    "task_default_exchange_type": "topic",
}
CONFIRMED: Final = {"confirm_publish": True, "read_timeout": 5, "write_timeout": 5}
OVER_AMQP: Final = {**CONFIRMED, "frame_handler": TolerantFrames()}


def create_celery(settings: Settings, delivery: Delivery) -> Celery:
    """The lab's Celery application in the mode `delivery`. Nothing connects until a task is sent or a
    worker starts."""
    return _as_it_comes(settings) if delivery is Delivery.NAIVE else _safe(settings)


def _as_it_comes(settings: Settings) -> Celery:
    app = Celery("tasks", broker=settings.celery_broker_url, include=["celery_tasks"])
    # Two contenders share one broker: each has a queue of its own.
    app.conf.task_default_queue = Delivery.NAIVE.queue(CELERY_QUEUE)
    return app


def _safe(settings: Settings) -> Celery:
    settings.var.mkdir(mode=0o700, parents=True, exist_ok=True)  # beat keeps its times there
    if settings.result_backend.startswith(_SQLITE):
        Path(settings.result_backend.removeprefix(_SQLITE)).parent.mkdir(parents=True, exist_ok=True)
    over_amqp = settings.celery_broker_url.startswith("amqp")
    app = Celery(
        "tasks",
        broker=settings.celery_broker_url,
        backend=settings.result_backend,
        include=["celery_tasks"],
    )
    app.conf.update(SAFE)
    app.conf.update(
        task_default_queue=CELERY_QUEUE,
        broker_transport_options=OVER_AMQP if over_amqp else {"visibility_timeout": 2 * 3600},
        # Celery ends the process of a task that does not end when it is told to.
        task_soft_time_limit=settings.task_time_limit,
        task_time_limit=settings.task_time_limit and settings.task_time_limit + HARD_LIMIT_SECONDS,
        result_chord_join_timeout=60.0,  # for all results of a chord together
        timezone=settings.timezone.key,
        enable_utc=True,
        beat_schedule={name: _beat_entry(name, entry.rule) for name, entry in ENTRIES.items()},
        beat_schedule_filename=str(settings.var / "beat"),
    )
    app.conf.task_queues = [_queue(CELERY_QUEUE, queue_arguments(CELERY_QUEUE) if over_amqp else None)]
    if over_amqp:
        app.conf.task_queues.append(_queue(priority_queue(CELERY_QUEUE), priority_arguments(CELERY_QUEUE)))
        # Strangers declare the exchange of its name, as a direct one.
        app.conf.task_queues.append(Queue(OPEN_QUEUE, _exchange(CELERY_QUEUE), routing_key=OPEN_QUEUE))
    return app


def _queue(name: str, arguments: dict[str, Any] | None) -> Queue:
    return Queue(name, _exchange(name), routing_key=name, queue_arguments=arguments)


def _exchange(name: str) -> Exchange:
    return Exchange(name, type="topic")


def _beat_entry(name: str, rule: Rule) -> dict[str, Any]:
    """What beat sends when `rule` says so: a word to the API, which decides (`beat_due` in celery_tasks.py).

    Beat forgets what it could not publish, so it tries until the broker is there again. A word of
    what is due every minute is of no use five minutes later.
    """
    options: dict[str, Any] = {"retry": True, "retry_policy": {"max_retries": None, "interval_max": 5.0}}
    when: BaseSchedule
    if isinstance(rule, Every):
        when = schedule(rule.seconds, relative=True)
        options["expires"] = 5 * rule.seconds
    else:
        weekday = "*" if rule.weekday is None else rule.weekday % 7
        when = crontab(hour=rule.hour, minute=rule.minute, day_of_week=weekday)
    return {"task": "beat_due", "args": (name,), "schedule": when, "options": options}


class _LogLines(logging.Filter):
    """Has a task's arrival logged in the consumer's words, and leaves out the lines of experiments' jobs, of which
    there are thousands, as the consumer does."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, dict) and record.args.get("name") == experiment_job.__name__:
            return False
        if record.msg == LOG_RECEIVED:
            record.msg = RECEIVED
        return True


@after_setup_logger.connect
@after_setup_task_logger.connect
def _same_log_lines_as_the_consumer(logger: logging.Logger, **_: Any) -> None:
    for handler in logger.handlers:
        handler.setFormatter(logging.Formatter(LOG_FORMAT, DATE_FORMAT))
    for name in ("celery.worker.strategy", "celery.app.trace"):
        source = logging.getLogger(name)
        if not any(isinstance(known, _LogLines) for known in source.filters):
            source.addFilter(_LogLines())


settings = Settings.from_env()
celery_app = create_celery(settings, settings.delivery)
app = celery_app  # as many guides name it
if settings.delivery is Delivery.SAFE:
    # A worker whose result backend is away waits for it; as it comes, Celery drops the task instead.
    celery_app.conf.result_backend_always_retry = True
    from celery_worker import results  # noqa: F401 - here, where it finds the application
