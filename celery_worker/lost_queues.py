"""Celery consumes again where its queue was deleted without a word from the broker (`lab.broker.witness`), in the safe
mode.

A bootstep of the worker's consumer, as Celery documents them:
https://docs.celeryq.dev/en/stable/userguide/extending.html
"""

from typing import Any

from amqp import ConsumerCancelled
from celery import bootsteps

from celery_app import celery_app, settings
from lab.broker.witness import LOOK_SECONDS, Witness
from lab.delivery import Delivery


class ConsumesAgain(bootsteps.StartStopStep):  # type: ignore[misc]
    """Has Celery connect again, as it does when the broker cancels its consumer; that declares the queue."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **_: Any) -> None:
        super().__init__(parent)
        self._timer: Any = None

    def start(self, parent: Any) -> None:
        """Called when `parent`, the worker's consumer, has begun to consume."""
        if parent.hub is None:
            return  # timers run in a thread of their own then, and a connection belongs to one thread
        channel = parent.connection.channel()
        queues = [queue.name for queue in parent.task_consumer.queues]
        witness = Witness(channel, parent.hostname, queues)

        def look() -> None:
            try:
                witness.look()
            except parent.connection.channel_errors as error:
                raise ConsumerCancelled(f"a queue was deleted: {error}") from error

        self._timer = parent.timer.call_repeatedly(LOOK_SECONDS, look)

    def stop(self, parent: Any) -> None:  # noqa: ARG002 - as each is called
        """Called when the connection is lost, or the worker ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


if settings.delivery is Delivery.SAFE and settings.celery_broker_url.startswith("amqp"):
    celery_app.steps["consumer"].add(ConsumesAgain)
