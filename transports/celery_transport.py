"""Submits jobs as Celery tasks, by name: it never imports the tasks themselves."""

import logging
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar

from celery import Celery, Signature
from kombu.exceptions import KombuError, OperationalError

from celery_app import create_celery
from lab.amqp import CELERY_QUEUE
from lab.context import MAX_TIME_LIMIT
from lab.delivery import Delivery
from lab.job import Job
from lab.plan import Plan
from lab.settings import Settings
from transports.base import ReportFor, Submission, Transport
from transports.celery_group import BackendAway, send_group
from transports.celery_options import declare_delays, is_delayed, links_of, options_of
from transports.celery_workflow import canvas, mark_revoked

HARD_LIMIT_SECONDS = 5.0

logger = logging.getLogger(__name__)


def task_arguments(job: Job) -> tuple[list[Any], dict[str, Any]]:
    """The positional and keyword arguments of `job`'s Celery task."""
    if job.kind == "process_task":
        return [job.num, job.params["timeout"], "celery"], {}
    if job.kind == "process_image":
        others = {name: value for name, value in job.params.items() if name != "image_id"}
        return [job.params["image_id"]], {**others, "task_num": job.num}
    return [], {**job.params, "task_num": job.num}


class CeleryTransport(Transport):
    """Celery over the lab's broker, one application for each mode of delivery."""

    name: ClassVar[str] = "celery"
    label: ClassVar[str] = "Celery"
    queue: ClassVar[str | None] = CELERY_QUEUE

    def __init__(self, settings: Settings, report_for: ReportFor) -> None:
        super().__init__(settings, report_for)
        self._apps: dict[Delivery, Celery] = {}
        self._delays_declared = False

    def submit(self, jobs: Sequence[Job], delivery: Delivery = Delivery.SAFE) -> Submission:
        app = self._app(delivery)
        errors = (OperationalError, KombuError, OSError, *app.connection_for_write().connection_errors)
        confirmed: set[str] = set()
        trouble = None
        try:
            with app.producer_or_acquire() as producer:
                for group_id, members in groupby(jobs, key=lambda job: job.group_id):
                    if group_id is None:
                        for job in members:
                            self._send(app, producer, job, delivery)
                            confirmed.add(job.task_id)
                        continue
                    group = list(members)
                    try:
                        send_group(app, producer, group_id, [_signature(app, job, delivery) for job in group])
                        confirmed.update(job.task_id for job in group)
                    except BackendAway as error:
                        trouble = f"the result backend does not keep group {group_id}: {error}"
            if any(job.options.priority is not None for job in jobs):
                app.control.broadcast("lab_look")
        except errors as error:
            self.close()
            return Submission(frozenset(confirmed), f"{type(error).__name__}: {error}")
        return Submission(frozenset(confirmed), trouble)

    def _send(self, app: Celery, producer: Any, job: Job, delivery: Delivery) -> None:
        message = _message(job, delivery)
        over_amqp = self._settings.celery_broker_url.startswith("amqp")
        options = options_of(job, over_amqp)
        message["headers"] |= options.pop("headers")
        if over_amqp and delivery is Delivery.SAFE and not self._delays_declared and is_delayed(job):
            declare_delays(app, producer.connection)
            self._delays_declared = True
        links = links_of(job, lambda following: _signature(app, following, delivery))
        app.send_task(producer=producer, **message, **options, **links)

    def submit_workflow(self, plan: Plan, jobs: Mapping[str, Job], starts: Sequence[str]) -> Submission:
        app = self._app(Delivery.SAFE)
        try:
            # A chord asks for its results by a message that waits there.
            if not self._delays_declared and self._settings.celery_broker_url.startswith("amqp"):
                with app.connection_for_write() as connection:
                    declare_delays(app, connection)
                self._delays_declared = True
            canvas(app, plan, jobs, lambda job: _signature(app, job, Delivery.SAFE)).apply_async()
        except Exception as error:  # the broker's, and each result backend has errors of its own
            self.close()
            return Submission(error=f"{type(error).__name__}: {error}")
        return Submission(frozenset(jobs[name].task_id for name in starts))

    def give_up(self, task_ids: Sequence[str]) -> None:
        try:
            mark_revoked(self._app(Delivery.SAFE), task_ids)
        except Exception as error:  # as above
            logger.warning("the result backend does not take that a workflow has ended: %s", error)

    def cancel(self, task_ids: Sequence[str]) -> None:
        app = self._app(Delivery.SAFE)
        try:
            app.control.revoke(list(task_ids), terminate=True)
        except (OperationalError, KombuError, OSError, *app.connection_for_write().connection_errors):
            self.close()

    def close(self) -> None:
        for app in self._apps.values():
            app.close()
        self._apps.clear()
        self._delays_declared = False

    def _app(self, delivery: Delivery) -> Celery:
        if delivery not in self._apps:
            app = self._apps[delivery] = create_celery(self._settings, delivery)
            # kombu answers no heartbeats between two messages; a publish has time limits of its own.
            app.conf.broker_heartbeat = 0
        return self._apps[delivery]


def _message(job: Job, delivery: Delivery) -> dict[str, Any]:
    """The arguments of `send_task` for `job`, without its options."""
    args, kwargs = task_arguments(job)
    message: dict[str, Any] = {
        "name": job.kind,
        "args": args,
        "kwargs": kwargs,
        "task_id": job.task_id,
        "headers": {"lab_token": job.token, "lab_max_retries": job.max_retries},
        "argsrepr": job.arguments(),
        "retry": False,
    }
    if delivery is Delivery.SAFE:
        message["mandatory"] = True
    if job.time_limit < MAX_TIME_LIMIT:
        message["soft_time_limit"] = job.time_limit
        message["time_limit"] = job.time_limit + HARD_LIMIT_SECONDS
    return message


def _signature(app: Celery, job: Job, delivery: Delivery) -> Signature:
    """The same, as a group takes it: its result is kept, for `GroupResult.restore` to be asked."""
    message = _message(job, delivery)
    return app.signature(message.pop("name"), message.pop("args"), message.pop("kwargs"), options=message)
