"""One look at workers and queues, and how it changes the picture there was."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final

from api.control.queues import Queue, is_ours, read_queues
from lab.broker import amqp
from lab.clock import now_us, to_iso, to_us
from lab.delivery import Delivery
from lab.settings import Settings
from transports.celery.control import CeleryControl
from transports.control import Control, ControlError, WorkerPicture
from transports.methods import CELERY, RABBITMQ

FORGET_US: Final = 300_000_000

Picture = dict[str, Any]
NO_PICTURE: Final[Picture] = {
    "at": None,
    "broker": {"up": None, "since": None},
    "celery_broker": None,
    "workers": [],
    "queues": [],
    "queues_source": None,
}
ReadQueues = Callable[[Settings], tuple[list[Queue], str]]

logger = logging.getLogger(__name__)


class Poll:
    """Looks by one broadcast to each method's workers, at the same time, and one reading of the queues.

    Args:
        controls: by method.
    """

    def __init__(
        self, settings: Settings, controls: Mapping[str, Control], read: ReadQueues = read_queues
    ) -> None:
        self._settings = settings
        self._controls = controls
        self._read_queues = read
        self._own_celery_broker = not settings.celery_on_rabbitmq

    def take(self, before: Picture | None) -> Picture:
        """The picture now. Of what cannot be reached the part of the picture `before` stays, and since
        when it cannot is said. Never raises for a broker that is away."""
        with ThreadPoolExecutor(len(self._controls)) as pool:
            told = dict(zip(self._controls, pool.map(self._ask, self._controls.values()), strict=True))
        queues = self._look_at_queues()
        before = before or NO_PICTURE
        at = to_iso(now_us())
        up = told[RABBITMQ.name] is not None and queues is not None
        return {
            "at": at if up else before["at"],
            "broker": _state(before.get("broker"), up, at),
            "celery_broker": (
                _state(before.get("celery_broker"), told[CELERY.name] is not None, at)
                if self._own_celery_broker
                else None
            ),
            "workers": merge(before["workers"], told, at),
            "queues": queues[0] if queues else before["queues"],
            "queues_source": queues[1] if queues else before["queues_source"],
            "books": before.get("books"),
        }

    def close(self) -> None:
        """Gives back the connections."""
        for control in self._controls.values():
            control.close()

    @staticmethod
    def _ask(control: Control) -> list[WorkerPicture] | None:
        try:
            return control.pictures()
        except ControlError as error:
            logger.debug("no picture of %s: %s", control.label, error)
            return None

    def _look_at_queues(self) -> tuple[list[Queue], str] | None:
        try:
            queues, source = self._read_queues(self._settings)
        except amqp.ERRORS as error:
            logger.debug("no picture of the queues: %s", error)
            return None
        if self._own_celery_broker:
            queues = self._elsewhere() + [queue for queue in queues if queue["method"] != CELERY.name]
        return queues, source

    def _elsewhere(self) -> list[Queue]:
        """Celery's queues where its broker is another one: no more than how much waits in them."""
        control = self._controls[CELERY.name]
        scheme = self._settings.celery_broker_url.partition(":")[0]
        queues: list[Queue] = []
        if not isinstance(control, CeleryControl):
            return queues
        for name in (delivery.queue(amqp.CELERY_QUEUE) for delivery in Delivery):
            try:
                length = control.queue_length(name)
            except ControlError:
                length = None
            queues.append(
                {"name": name, "method": CELERY.name, "type": scheme, "ready": length, "elsewhere": True}
            )
        return queues


def merge(
    before: Sequence[dict[str, Any]], told: Mapping[str, list[WorkerPicture] | None], at: str
) -> list[dict[str, Any]]:
    """The workers that `told` of themselves at `at`, and those of `before` that did not, for five minutes.

    Of a method that could not be asked (None) all stay as they were. One that has started again, under the
    same name, is not missed.
    """
    workers = [
        {**picture.model_dump(mode="json"), "answered_at": at, "silent_since": None}
        for pictures in told.values()
        for picture in pictures or ()
    ]
    present = {_who(worker) for worker in workers}
    for worker in before:
        if told.get(worker["method"]) is None:
            workers.append(worker)
        elif _who(worker) not in present:
            since = worker["silent_since"] or worker["answered_at"]
            if _us(at) - _us(since) < FORGET_US:
                workers.append({**worker, "silent_since": since})
    return sorted(workers, key=lambda w: (w["method"], w["name"], w["delivery"] or "", w["pid"] or 0))


def can_be_purged(queue: Queue) -> bool:
    """Whether the page offers to purge this entry of a picture."""
    return is_ours(queue["name"]) and not queue.get("elsewhere")


def _who(worker: dict[str, Any]) -> tuple[str, str, str | None]:
    return worker["method"], worker["name"], worker["delivery"]


def _state(before: dict[str, Any] | None, up: bool, at: str) -> dict[str, Any]:
    since = before["since"] if before is not None and before["up"] is up else at
    return {"up": up, "since": since}


def _us(iso: str) -> int:
    return to_us(datetime.fromisoformat(iso))
