"""Submits jobs as Celery tasks, by name: it never imports the tasks themselves."""

from collections.abc import Sequence
from typing import Any, ClassVar

from celery import Celery
from kombu.exceptions import KombuError, OperationalError

from celery_app import create_celery
from lab.amqp import CELERY_QUEUE
from lab.context import MAX_TIME_LIMIT
from lab.delivery import Delivery
from lab.job import Job
from lab.settings import Settings
from transports.base import ReportFor, Submission, Transport

HARD_LIMIT_SECONDS = 5.0


def task_arguments(job: Job) -> tuple[list[Any], dict[str, Any]]:
    """The positional and keyword arguments of `job`'s Celery task."""
    if job.kind == "process_task":
        return [job.num, job.params["timeout"], "celery"], {}
    return [], {**job.params, "task_num": job.num}


class CeleryTransport(Transport):
    """Celery over the lab's broker, one application for each mode of delivery."""

    name: ClassVar[str] = "celery"
    label: ClassVar[str] = "Celery"
    queue: ClassVar[str | None] = CELERY_QUEUE

    def __init__(self, settings: Settings, report_for: ReportFor) -> None:
        super().__init__(settings, report_for)
        self._apps: dict[Delivery, Celery] = {}

    def submit(self, jobs: Sequence[Job], delivery: Delivery = Delivery.SAFE) -> Submission:
        app = self._app(delivery)
        errors = (OperationalError, KombuError, OSError, *app.connection_for_write().connection_errors)
        confirmed: set[str] = set()
        try:
            with app.producer_or_acquire() as producer:
                for job in jobs:
                    self._send(app, producer, job, delivery)
                    confirmed.add(job.task_id)
        except errors as error:
            self.close()
            return Submission(frozenset(confirmed), f"{type(error).__name__}: {error}")
        return Submission(frozenset(confirmed))

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

    def _send(self, app: Celery, producer: Any, job: Job, delivery: Delivery) -> None:
        args, kwargs = task_arguments(job)
        options: dict[str, Any] = {"mandatory": True} if delivery is Delivery.SAFE else {}
        if job.time_limit < MAX_TIME_LIMIT:
            options["soft_time_limit"] = job.time_limit
            options["time_limit"] = job.time_limit + HARD_LIMIT_SECONDS
        app.send_task(
            job.kind,
            args=args,
            kwargs=kwargs,
            task_id=job.task_id,
            headers={"lab_token": job.token, "lab_max_retries": job.max_retries},
            argsrepr=job.arguments(),
            producer=producer,
            ignore_result=True,  # the API learns of it by the status path, and nobody would fetch it
            retry=False,
            **options,
        )

    def _app(self, delivery: Delivery) -> Celery:
        if delivery not in self._apps:
            app = self._apps[delivery] = create_celery(self._settings, delivery)
            # kombu answers no heartbeats between two messages; a publish has time limits of its own.
            app.conf.broker_heartbeat = 0
        return self._apps[delivery]
