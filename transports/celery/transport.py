"""Submits jobs as Celery tasks, by name: it never imports the tasks themselves."""

import logging
import struct
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, ClassVar, Final

from celery import Celery, Signature
from kombu.exceptions import EncodeError, KombuError, OperationalError

from celery_app import HARD_LIMIT_SECONDS, create_celery
from lab.broker.amqp import CELERY_QUEUE
from lab.clock import now_us
from lab.delivery import Delivery
from lab.job import Job
from lab.jobs.context import MAX_TIME_LIMIT
from lab.plan import WorkflowPlan
from lab.settings import Settings
from transports.base import ReportFor, SendError, Submission, Transport
from transports.celery.canvas import canvas, mark_revoked
from transports.celery.groups import BackendAway, send_group
from transports.celery.options import declare_delays, is_delayed, links_of, options_of
from transports.methods import CELERY

UNSENDABLE: Final = (
    ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError, struct.error, EncodeError,
)  # fmt: skip
"""What the transport, Celery, kombu and py-amqp raise for a job that cannot be made into a message."""

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
    """Celery over the lab's broker, one application and one held producer for each mode of delivery.

    Jobs are sent one by one. In the safe mode Celery waits for the broker's confirm of each (the transport option
    `confirm_publish`): https://docs.celeryq.dev/en/stable/userguide/configuration.html#broker-transport-options
    """

    name: ClassVar[str] = CELERY.name
    label: ClassVar[str] = "Celery"
    queue: ClassVar[str | None] = CELERY_QUEUE
    batch: ClassVar[int] = 100

    def __init__(self, settings: Settings, report_for: ReportFor) -> None:
        super().__init__(settings, report_for)
        self._over_amqp = settings.celery_broker_url.startswith("amqp")
        self._apps: dict[Delivery, Celery] = {}
        self._producers: dict[Delivery, Any] = {}
        self._delays_declared = False

    def submit(self, jobs: Sequence[Job], delivery: Delivery = Delivery.SAFE) -> Submission:
        app, trouble = self._app(delivery), None
        confirmed: dict[str, int] = {}
        unsendable: dict[str, str] = {}
        try:
            producer = self._producer(delivery)
            for group_id, members in groupby(jobs, key=attrgetter("group_id")):
                for some in [list(members)] if group_id else [[job] for job in members]:
                    try:
                        confirmed |= self._send_some(producer, group_id, some, delivery)
                    except UNSENDABLE as error:
                        if not producer.connection.connected:  # a socket that is gone raises some of them too
                            raise OperationalError(_text(error)) from error
                        unsendable |= dict.fromkeys((job.task_id for job in some), _text(error))
                    except BackendAway as error:
                        trouble = f"the result backend does not keep group {group_id}: {error}"
        except _errors(app) as error:
            self._drop()
            trouble = _text(error)
        return Submission(confirmed, trouble, unsendable)

    def _send_some(
        self, producer: Any, group_id: str | None, jobs: Sequence[Job], delivery: Delivery
    ) -> dict[str, int]:
        """Sends one job, or all of a group; returns when each was written."""
        if group_id is None:
            return {job.task_id: self._send(producer, job, delivery) for job in jobs}
        app, written_us = self._app(delivery), now_us()
        send_group(app, producer, group_id, [_signature(app, job, delivery) for job in jobs])
        return {job.task_id: written_us for job in jobs}

    def send(self, job: Job, delivery: Delivery = Delivery.SAFE) -> int:
        app = self._app(delivery)
        try:
            return self._send(self._producer(delivery), job, delivery)
        except _errors(app) as error:
            self._drop()
            raise SendError(_text(error)) from error

    def _send(self, producer: Any, job: Job, delivery: Delivery) -> int:
        app = self._app(delivery)
        message = _message(job, delivery)
        options = options_of(job, self._over_amqp)
        message["headers"] |= options.pop("headers")
        if self._over_amqp and delivery is Delivery.SAFE and not self._delays_declared and is_delayed(job):
            declare_delays(app, producer.connection)
            self._delays_declared = True
        links = links_of(job, lambda following: _signature(app, following, delivery))
        written_us = now_us()
        app.send_task(producer=producer, **message, **options, **links)
        return written_us

    def submit_workflow(
        self, plan: WorkflowPlan, jobs: Mapping[str, Job], starts: Sequence[str]
    ) -> Submission:
        app, written_us = self._app(Delivery.SAFE), now_us()
        starting = [jobs[name].task_id for name in starts]
        try:
            flow = canvas(app, plan, jobs, lambda job: _signature(app, job, Delivery.SAFE))
        except UNSENDABLE as error:
            return Submission(unsendable=dict.fromkeys(starting, _text(error)))
        try:
            # A chord asks for its results by a message that waits there.
            if not self._delays_declared and self._over_amqp:
                with app.connection_for_write() as connection:
                    declare_delays(app, connection)
                self._delays_declared = True
            flow.apply_async()
        except (EncodeError, RecursionError) as error:
            return Submission(unsendable=dict.fromkeys(starting, _text(error)))
        except Exception as error:  # the broker's, and each result backend has errors of its own
            self._drop()
            return Submission(error=_text(error))
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
            self._drop()

    def close(self) -> None:
        for producer in self._producers.values():
            producer.connection.release()
        self._forget()

    def _drop(self) -> None:
        """Closes the connections without a word to the broker, which may say nothing any more."""
        for producer in self._producers.values():
            producer.connection.collect()
        self._forget()

    def _forget(self) -> None:
        self._producers.clear()
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

    def _producer(self, delivery: Delivery) -> Any:
        """A producer with a connection of its own, which declares the queues with its first message to each."""
        if delivery not in self._producers:
            app = self._app(delivery)
            connection = app.connection_for_write()
            connection.ensure_connection(max_retries=1, interval_start=0.1)
            self._producers[delivery] = app.amqp.Producer(connection, auto_declare=False)
        return self._producers[delivery]


def _errors(app: Celery) -> tuple[type[Exception], ...]:
    connection = app.connection_for_write()
    return (
        OperationalError,
        KombuError,
        OSError,
        *connection.connection_errors,
        *connection.channel_errors,
        *connection.recoverable_connection_errors,  # MessageNacked is only here
    )


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _message(job: Job, delivery: Delivery) -> dict[str, Any]:
    """The arguments of `send_task` for `job`, without its options."""
    args, kwargs = task_arguments(job)
    headers: dict[str, Any] = {"lab_token": job.token, "lab_max_retries": job.max_retries}
    if job.attempt > 1:
        headers["lab_attempt"] = job.attempt
    if job.beside:
        headers["lab_beside"] = True
    message: dict[str, Any] = {
        "name": job.kind,
        "args": args,
        "kwargs": kwargs,
        "task_id": job.task_id,
        "headers": headers,
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
