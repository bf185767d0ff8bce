"""Submits jobs as Celery tasks, by name: it never imports the tasks themselves."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any, ClassVar

from celery import Celery, Signature
from kombu.exceptions import KombuError, OperationalError

from celery_app import create_celery
from lab.amqp import CELERY_QUEUE
from lab.amqp_window import Batch
from lab.clock import now_us
from lab.context import MAX_TIME_LIMIT
from lab.delivery import Delivery
from lab.job import Job
from lab.plan import Plan
from lab.settings import Settings
from lab.traffic import Traffic, of_kombu
from transports.base import ReportFor, Submission, Transport
from transports.celery_group import BackendAway, send_group
from transports.celery_options import declare_delays, is_delayed, links_of, options_of
from transports.celery_window import CeleryWindow
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
        self._over_amqp = settings.celery_broker_url.startswith("amqp")
        self._apps: dict[Delivery, Celery] = {}
        self._window: CeleryWindow | None = None
        self._lent: tuple[Any, int] = (None, 0)  # the pool's connection, and how many messages it was given
        self._delays_declared = False

    def submit(self, jobs: Sequence[Job], delivery: Delivery = Delivery.SAFE) -> Submission:
        return self.begin(jobs, delivery)()

    def begin(self, jobs: Sequence[Job], delivery: Delivery = Delivery.SAFE) -> Callable[[], Submission]:
        app, batch = self._app(delivery), Batch()
        try:
            if delivery is Delivery.SAFE and self._over_amqp:
                window = self._window_of(app)
                window.batch = batch
                trouble = self._send_all(
                    app, window.producer, jobs, delivery, partial(self._send_ahead, app, window), {}
                )
                window.flush()
                return partial(self._finish, app, window, batch, jobs, trouble)
            with app.producer_or_acquire() as producer:
                send = partial(self._send, app, producer, delivery=delivery)
                trouble = self._send_all(app, producer, jobs, delivery, send, batch.confirmed)
                self._lent = (producer.connection, self._lent[1] + len(jobs))
            _tell_if_urgent(app, jobs)
            submission = Submission(batch.confirmed, trouble)
        except _errors(app) as error:
            submission = self._broken(batch, jobs, error)
        return lambda: submission

    def _send_all(
        self,
        app: Celery,
        producer: Any,
        jobs: Sequence[Job],
        delivery: Delivery,
        send: Callable[[Job], None],
        written: dict[str, int],
    ) -> str | None:
        """Sends `jobs`, those of no group by `send`, and notes in `written` when each was. Returns what is wrong
        with a group of them."""
        trouble = None
        for group_id, members in groupby(jobs, key=attrgetter("group_id")):
            if group_id is None:
                for job in members:
                    written_us = now_us()
                    send(job)
                    written[job.task_id] = written_us
                continue
            group, written_us = list(members), now_us()
            try:
                send_group(app, producer, group_id, [_signature(app, job, delivery) for job in group])
                written.update((job.task_id, written_us) for job in group)
            except BackendAway as error:
                trouble = f"the result backend does not keep group {group_id}: {error}"
        return trouble

    def _finish(
        self, app: Celery, window: CeleryWindow, batch: Batch, jobs: Sequence[Job], trouble: str | None
    ) -> Submission:
        try:
            window.wait(batch)
            _tell_if_urgent(app, jobs)
        except _errors(app) as error:
            return self._broken(batch, jobs, error)
        if batch.refused:
            self.close()  # its queue may have gone, and is declared with the next connection
        return Submission(_whole_groups(batch, jobs), batch.trouble or trouble)

    def _broken(self, batch: Batch, jobs: Sequence[Job], error: Exception) -> Submission:
        self.close()
        return Submission(_whole_groups(batch, jobs), f"{type(error).__name__}: {error}")

    def _send(self, app: Celery, producer: Any, job: Job, delivery: Delivery) -> None:
        message = _message(job, delivery)
        options = options_of(job, self._over_amqp)
        message["headers"] |= options.pop("headers")
        if self._over_amqp and delivery is Delivery.SAFE and not self._delays_declared and is_delayed(job):
            declare_delays(app, producer.connection)
            self._delays_declared = True
        links = links_of(job, lambda following: _signature(app, following, delivery))
        app.send_task(producer=producer, **message, **options, **links)

    def _send_ahead(self, app: Celery, window: CeleryWindow, job: Job) -> None:
        """Sends `job` as `_send` does, or like one that went that way before."""
        fits = window.samples.fits(job)
        like = window.samples.like(job, *task_arguments(job)) if fits else None
        if like is not None:
            window.publish(like)
            return
        self._send(app, window.producer, job, Delivery.SAFE)
        if fits and window.last is not None:
            window.samples.keep(job, window.last)

    def _window_of(self, app: Celery) -> CeleryWindow:
        if self._window is None or not self._window.is_open:
            self._window = CeleryWindow(app)
        return self._window

    def submit_workflow(self, plan: Plan, jobs: Mapping[str, Job], starts: Sequence[str]) -> Submission:
        app, written_us = self._app(Delivery.SAFE), now_us()
        try:
            # A chord asks for its results by a message that waits there.
            if not self._delays_declared and self._over_amqp:
                with app.connection_for_write() as connection:
                    declare_delays(app, connection)
                self._delays_declared = True
            canvas(app, plan, jobs, lambda job: _signature(app, job, Delivery.SAFE)).apply_async()
        except Exception as error:  # the broker's, and each result backend has errors of its own
            self.close()
            return Submission(error=f"{type(error).__name__}: {error}")
        return Submission({jobs[name].task_id: written_us for name in starts})

    def give_up(self, task_ids: Sequence[str]) -> None:
        try:
            mark_revoked(self._app(Delivery.SAFE), task_ids)
        except Exception as error:  # as above
            logger.warning("the result backend does not take that a workflow has ended: %s", error)

    def cancel(self, task_ids: Sequence[str]) -> None:
        app = self._app(Delivery.SAFE)
        try:
            app.control.revoke(list(task_ids), terminate=True)
        except _errors(app):
            self.close()

    def traffic(self) -> Traffic:
        window = self._window
        return of_kombu(*self._lent) + (Traffic(0, 0, 0, 0) if window is None else window.traffic())

    def close(self) -> None:
        window, self._window, self._lent = self._window, None, (None, 0)
        if window is not None:
            window.close()
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


def _errors(app: Celery) -> tuple[type[Exception], ...]:
    connection = app.connection_for_write()
    return (
        OperationalError,
        KombuError,
        OSError,
        *connection.connection_errors,
        *connection.channel_errors,
    )


def _whole_groups(batch: Batch, jobs: Sequence[Job]) -> dict[str, int]:
    """What is confirmed, without the groups of which something is not: Celery takes a group as a whole, and so
    it goes again."""
    confirmed = batch.confirmed
    torn = {job.group_id for job in jobs if job.group_id is not None and job.task_id not in confirmed}
    for job in jobs if torn else ():
        if job.group_id in torn:
            confirmed.pop(job.task_id, None)
    return confirmed


def _tell_if_urgent(app: Celery, jobs: Sequence[Job]) -> None:
    """Has the workers look into the priority queue where something was put into it."""
    if any(job.options.priority is not None for job in jobs):
        app.control.broadcast("lab_look")


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
