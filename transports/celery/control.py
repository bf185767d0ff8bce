"""Asks Celery's workers, by what Celery brings along for it.

https://docs.celeryq.dev/en/stable/userguide/workers.html#remote-control
"""

import json
import time
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from celery import Celery
from kombu.exceptions import KombuError, OperationalError

from celery_app import create_celery
from lab.broker.amqp import CELERY_QUEUE
from lab.clock import to_iso, to_us
from lab.delivery import Delivery
from lab.settings import Settings
from transports.celery.transport import task_arguments
from transports.configuration import (
    ALL_DURABLE,
    EARLY,
    LATE,
    NONE,
    ONE_BY_ONE,
    REPORTS,
    REPORTS_BEFORE_ACK,
    SAMPLE,
    UNLIMITED,
    Configuration,
    redelivery,
    versions,
)
from transports.control import (
    Control,
    ControlError,
    Reply,
    WorkerPicture,
    WorkerUsage,
    read_picture,
    read_usage,
)
from transports.methods import CELERY

# Anyone who asks tries again by himself.
ONE_TRY: Final = {"max_retries": 1, "interval_start": 0.1, "interval_step": 0.1, "interval_max": 0.1}
CONNECT_SECONDS: Final = 3


class CeleryControl(Control):
    """`app.control`, and the commands that celery_worker/commands.py adds to the workers.

    A pool that grows gets no more messages at once on a quorum queue: its prefetch stays as it was when the worker
    began to consume. https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/rabbitmq.html
    """

    name: ClassVar[str] = CELERY.name
    label: ClassVar[str] = "Celery"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._app: Celery | None = None

    def pictures(self, timeout: float = 1.0) -> list[WorkerPicture]:
        # Not `inspect`, which makes one of two workers that have the same name.
        replies = self._broadcast("lab_picture", {}, None, timeout)
        return [read_picture(self.name, worker, _plain(told)) for worker, told, _ in replies]

    def usage(self, *, enough: int | None = None, timeout: float = 1.0) -> list[WorkerUsage]:
        replies = self._broadcast("lab_usage", {}, None, timeout, enough)
        return [read_usage(worker, told) for worker, told, _ in replies]

    def ping(self, timeout: float = 1.0) -> list[Reply]:
        return self._order("ping", {}, None, timeout)

    def grow(self, worker: str, n: int, timeout: float = 2.0) -> list[Reply]:
        return self._order("pool_grow", {"n": n}, worker, timeout)

    def shrink(self, worker: str, n: int, timeout: float = 2.0) -> list[Reply]:
        # Celery itself would go down to no process at all.
        size = next((one.concurrency for one in self.pictures() if one.name == worker), None)
        n = n if size is None else min(n, size - 1)
        return self._order("pool_shrink", {"n": n}, worker, timeout) if n > 0 else [Reply(worker, 0.0)]

    def rate_limit(
        self, kind: str, rate: str, worker: str | None = None, timeout: float = 1.0
    ) -> list[Reply]:
        limit = {"task_name": kind, "rate_limit": None if rate == "0" else rate}
        return self._order("rate_limit", limit, worker, timeout)

    def queue_length(self, queue: str) -> int:
        """Messages that wait in `queue` of Celery's broker, whichever that is; 0 if there is none.

        Raises:
            ControlError: the broker is away.
        """
        app = self._open()
        errors = self._errors(app)
        try:
            with app.connection_for_read() as connection:
                channel = connection.default_channel
                try:
                    return int(channel.queue_declare(queue, passive=True).message_count)
                except connection.channel_errors:
                    return 0
        except errors as error:
            self.close()
            raise ControlError(f"{type(error).__name__}: {error}") from error

    def configuration(self, delivery: Delivery) -> Configuration:
        """Read from the very application that sends and receives the messages."""
        app = create_celery(self._settings, delivery)
        conf: Any = app.conf
        scheme = self._settings.celery_broker_url.partition(":")[0]
        over_amqp = scheme.startswith("amqp")
        queue = app.amqp.queues[conf.task_default_queue].queue_arguments or {}
        client = "amqp" if over_amqp else "redis"
        late = bool(conf.task_acks_late)
        told = Configuration(
            acknowledgement=LATE if late else EARLY,
            confirms=ONE_BY_ONE if conf.broker_transport_options.get("confirm_publish") else NONE,
            durability=ALL_DURABLE if over_amqp else f"as {scheme} keeps it",
            queue_type=str(queue.get("x-queue-type", "classic")) if over_amqp else scheme,
            redelivery=redelivery(CELERY_QUEUE, delivery) if over_amqp else UNLIMITED,
            retries="published again, then acknowledged" if late else "published again",
            time_limits="its process is ended",
            reports=REPORTS_BEFORE_ACK if late else REPORTS,
            serialisation=str(conf.task_serializer).upper(),
            message_bytes=_message_bytes(app),
            versions=versions("celery", "kombu", client, "billiard"),
        )
        app.close()
        return told

    def close(self) -> None:
        app, self._app = self._app, None
        if app is not None:
            app.close()

    def _order(self, command: str, arguments: dict[str, Any], to: str | None, timeout: float) -> list[Reply]:
        replies = self._broadcast(command, arguments, to, timeout)
        return [Reply(worker, seconds, told.get("error")) for worker, told, seconds in replies]

    def _broadcast(
        self,
        command: str,
        arguments: dict[str, Any],
        to: str | None,
        timeout: float,
        enough: int | None = None,
    ) -> list[tuple[str, dict[str, Any], float]]:
        """Each answer: whose, what it says, and how many seconds it took."""
        app = self._open()
        replies: list[tuple[str, dict[str, Any], float]] = []
        sent = time.monotonic()

        def on_reply(reply: dict[str, Any]) -> None:
            seconds = time.monotonic() - sent
            replies.extend((worker, told, seconds) for worker, told in reply.items())

        try:
            # One of its own, since the queue of answers expires between two questions on the same one.
            with app.connection_for_write() as connection:
                connection.default_channel  # noqa: B018 - connects, so that answers are timed without it
                sent = time.monotonic()
                app.control.broadcast(
                    command,
                    arguments,
                    destination=None if to is None else [to],
                    connection=connection,
                    reply=True,
                    timeout=timeout,
                    limit=enough,
                    callback=on_reply,
                )
        except self._errors(app) as error:
            self.close()
            raise ControlError(f"{type(error).__name__}: {error}") from error
        return replies

    def _open(self) -> Celery:
        if self._app is None:
            app = self._app = create_celery(self._settings, Delivery.SAFE)
            app.conf.broker_heartbeat = 0  # nobody would answer them between two questions
            app.conf.broker_connection_timeout = CONNECT_SECONDS
            app.conf.broker_transport_options = {**app.conf.broker_transport_options, **ONE_TRY}
        return self._app

    @staticmethod
    def _errors(app: Celery) -> tuple[type[Exception], ...]:
        return (OperationalError, KombuError, OSError, *app.connection_for_write().connection_errors)


def _message_bytes(app: Celery) -> int:
    """A message's body, headers and properties as JSON: about what they take on the wire."""
    args, kwargs = task_arguments(SAMPLE)
    made = app.amqp.as_task_v2(SAMPLE.task_id, SAMPLE.kind, args, kwargs, argsrepr=SAMPLE.arguments())
    headers = {**made.headers, "lab_token": SAMPLE.token, "lab_max_retries": SAMPLE.max_retries}
    return sum(len(json.dumps(part)) for part in (made.body, headers, made.properties))


def _plain(told: dict[str, Any]) -> dict[str, Any]:
    """`told` by `lab_picture` as the pictures have it."""
    if "begun" not in told:
        return {}  # a worker of another project, which does not know the command
    active = [{**task, "since": _iso(task["since_s"])} for task in told["active"]]
    started_at = to_iso(to_us(datetime.fromisoformat(told["started_at"])))
    return {**told, "active": active, "started_at": started_at, "done": told["begun"] - len(active)}


def _iso(seconds: float | None) -> str | None:
    """Seconds since the epoch, as Celery counts them, as ISO 8601."""
    return None if seconds is None else to_iso(to_us(datetime.fromtimestamp(seconds, UTC)))
