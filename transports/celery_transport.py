"""Submits jobs as Celery tasks, by name: it never imports the tasks themselves."""

from collections.abc import Sequence
from typing import Any, ClassVar

from celery import Celery
from kombu.exceptions import KombuError, OperationalError

from celery_app import create_celery
from lab.amqp import CELERY_QUEUE
from lab.job import Job
from lab.settings import Settings
from transports.base import ReportFor, Submission, Transport


def task_arguments(job: Job) -> tuple[list[Any], dict[str, Any]]:
    """The positional and keyword arguments of `job`'s Celery task."""
    if job.kind == "process_task":
        return [job.num, job.params["timeout"], "celery"], {}
    return [], {**job.params, "task_num": job.num}


class CeleryTransport(Transport):
    """Celery over the lab's broker."""

    name: ClassVar[str] = "celery"
    label: ClassVar[str] = "Celery"
    queue: ClassVar[str | None] = CELERY_QUEUE

    def __init__(self, settings: Settings, report_for: ReportFor) -> None:
        super().__init__(settings, report_for)
        self._app: Celery | None = None

    def submit(self, jobs: Sequence[Job]) -> Submission:
        app = self._open_app()
        confirmed: set[str] = set()
        try:
            with app.producer_or_acquire() as producer:
                for job in jobs:
                    args, kwargs = task_arguments(job)
                    app.send_task(
                        job.kind,
                        args=args,
                        kwargs=kwargs,
                        task_id=job.task_id,
                        headers={"lab_token": job.token},
                        argsrepr=job.arguments(),
                        producer=producer,
                        retry=False,
                    )
                    confirmed.add(job.task_id)
        except (
            OperationalError,
            KombuError,
            OSError,
            *app.connection_for_write().connection_errors,
        ) as error:
            self.close()
            return Submission(frozenset(confirmed), f"{type(error).__name__}: {error}")
        return Submission(frozenset(confirmed))

    def _open_app(self) -> Celery:
        if self._app is None:
            self._app = create_celery(self._settings)
            # kombu answers no heartbeats between two messages; a publish has time limits of its own.
            self._app.conf.broker_heartbeat = 0
        return self._app

    def close(self) -> None:
        if self._app is not None:
            self._app.close()
            self._app = None
