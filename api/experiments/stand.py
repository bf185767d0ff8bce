"""The lab that an experiment runs on: who works in it, what it is, and the room for one trial after the other."""

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from kombu import Connection

from api.control.queues import METHODS, ready
from api.experiments.trials import BrokeredTrial, Desk, SyncTrial
from api.experiments.workers import check, missing
from experiments.environment import environment_of
from experiments.model import label
from experiments.plan import Arm, Plan
from lab import amqp
from lab.settings import Settings
from transports.control import Control, ControlError, WorkerPicture

SETTLE_SECONDS: Final = 0.3
DRAIN_SECONDS: Final = 30.0
TRIES: Final = 3

Who = tuple[str, str, int | None]
"""A worker by its method, its name and its process."""


class NotDrained(Exception):
    """Jobs of an arm's last repetition run or wait, though they were cancelled: the next would share its workers
    with them."""

    def __init__(self, plan: Plan, arm: Arm) -> None:
        name = label(plan, plan.arms.index(arm))
        super().__init__(
            f"jobs of a repetition of {name} that was over did not end: its workers are not free"
        )


class LabStand:
    """Opens trials in the lab of `desk`, one at a time; waits no longer for anything once `stop` is set."""

    def __init__(self, desk: Desk, stop: threading.Event) -> None:
        self._desk = desk
        self._stop = stop
        self._last: BrokeredTrial | None = None

    def open(self, arm: Arm) -> BrokeredTrial:
        """A trial of `arm`, once the one before has left nothing in its queue.

        Raises:
            NotDrained: it has left jobs that do not end.
        """
        last, self._last = self._last, None
        if last is not None and last.left_behind:
            self._drain(last)
        self._stop.wait(SETTLE_SECONDS)
        self._last = SyncTrial(self._desk, arm) if arm.method == "sync" else BrokeredTrial(self._desk, arm)
        return self._last

    def _drain(self, trial: BrokeredTrial) -> None:
        """Waits until workers have passed over what was cancelled, and ended what they ran."""
        queues = {method: queue for queue, method in METHODS.items()}
        settings, arm = self._desk.settings, trial.arm
        elsewhere = arm.method == "celery" and settings.celery_broker_url != settings.rmq_url
        until = time.monotonic() + trial.longest + DRAIN_SECONDS
        while not self._stop.is_set():
            trial.ended()
            waiting = 0
            if arm.method in queues and not elsewhere:
                waiting = ready(settings, arm.delivery.queue(queues[arm.method]))
            if not waiting and not trial.left_behind:
                return
            if time.monotonic() > until:
                raise NotDrained(self._desk.plan, arm)
            self._stop.wait(0.2)


def pictures_of(
    plan: Plan, controls: Mapping[str, Control], known: Sequence[WorkerPicture] = ()
) -> list[WorkerPicture]:
    """The workers that answer, beside those `known` already: asked until nobody new does, and several times
    where one that `plan` needs is not among them.

    Raises:
        api.experiments.workers.NoWorker: nobody would take the jobs of an arm.
    """
    found = {_who(one): one for one in known}
    settled = bool(known)
    for _ in range(TRIES):
        if settled and not missing(plan, {(one.method, one.delivery) for one in found.values()}):
            break
        before = len(found)
        found |= _look(controls)
        settled = len(found) == before
    check(plan, {(one.method, one.delivery) for one in found.values()})
    return list(found.values())


def pictures_again(controls: Mapping[str, Control], known: Sequence[WorkerPicture]) -> list[WorkerPicture]:
    """The workers that answer now, asked several times where one of those `known` is not among them."""
    found: dict[Who, WorkerPicture] = {}
    for _ in range(TRIES):
        found |= _look(controls)
        if {_who(one) for one in known} <= found.keys():
            break
    return list(found.values())


def _look(controls: Mapping[str, Control]) -> dict[Who, WorkerPicture]:
    found: dict[Who, WorkerPicture] = {}
    for control in controls.values():
        with suppress(ControlError):
            found |= {_who(one): one for one in control.pictures()}
    return found


def _who(one: WorkerPicture) -> Who:
    return one.method, one.name, one.pid


def environment(settings: Settings, database: str) -> dict[str, str]:
    """What the lab runs on, its broker and its store included."""
    more = {"store": database}
    try:
        with Connection(settings.rmq_url, connect_timeout=3, heartbeat=0) as connection:
            told = connection.connect().server_properties
        more["broker"] = " ".join(str(told[name]) for name in ("product", "version") if name in told)
        more["broker_platform"] = str(told.get("platform", ""))
    except (*amqp.ERRORS, *Connection(settings.rmq_url).connection_errors):
        pass
    return environment_of(**more)
