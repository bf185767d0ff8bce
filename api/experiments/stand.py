"""The lab that an experiment runs on: who works in it, what it is, and the room for one trial after the other."""

import math
import time
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from typing import Final

from kombu import Connection

from api.control.queues import ready
from api.experiments.connected import check, missing
from api.experiments.sync_trial import SyncTrial
from api.experiments.trials import BrokeredTrial, TrialTools, queue_of
from experiments.environment import environment_of
from experiments.model import label
from experiments.plan import Arm, Plan
from lab.broker import amqp
from lab.delivery import Delivery
from lab.settings import Settings
from transports.control import Control, ControlError, WorkerPicture
from transports.methods import OF_QUEUE, SYNC

SETTLE_SECONDS: Final = 0.3
DRAIN_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 3.0
OTHERS_SECONDS: Final = 600.0
LOOK_SECONDS: Final = 0.2
TRIES: Final = 3

_BROKER_AWAY: Final = "the broker does not answer"

Who = tuple[str, str, int | None]
"""A worker by its method, its name and its process."""


class NotFree(Exception):
    """Workers are not free for the next repetition: its jobs would share them with others."""


class NotDrained(NotFree):
    """Jobs of an arm's last repetition run or wait, though they were cancelled."""

    def __init__(self, plan: Plan, arm: Arm) -> None:
        name = label(plan, plan.arms.index(arm))
        super().__init__(
            f"jobs of a repetition of {name} that was over did not end: its workers are not free"
        )


class NotAlone(NotFree):
    """Messages that are not of the experiment wait in its queues: so many in each, by queue."""

    def __init__(self, waiting: Mapping[str, int]) -> None:
        held = ", ".join(f"{queue}: {count}" for queue, count in sorted(waiting.items()))
        super().__init__(
            f"messages of others wait in its queues ({held}): let the workers come to their end, or purge them"
        )


class LabStand:
    """Opens trials in the lab of `desk`, one at a time; waits no longer for anything once its `stop` is set."""

    def __init__(self, desk: TrialTools) -> None:
        self._desk = desk
        self._stop = desk.stop
        self._last: BrokeredTrial | None = None
        self._first = True

    def open(self, arm: Arm) -> BrokeredTrial:
        """A trial of `arm`, once the one before has left nothing in its queue; the first, once nobody else has.

        Raises:
            NotFree: there are jobs that do not end.
        """
        if self._first:
            self._wait_for_others()
            self._first = False
        last, self._last = self._last, None
        if last is not None and last.left_behind:
            self._drain(last)
        self._stop.wait(SETTLE_SECONDS)
        self._last = SyncTrial(self._desk, arm) if arm.method == SYNC.name else BrokeredTrial(self._desk, arm)
        return self._last

    def leave(self) -> None:
        """Waits a moment for what the last trial runs in this process."""
        if self._last is not None:
            self._last.leave()

    def _wait_for_others(self) -> None:
        """Waits until the queues of the plan's arms are empty: an experiment that was cancelled, or somebody who
        sent tasks, may have left messages there. Those of other queues cost the machine's time too while workers
        are at them; what nobody takes is left alone."""
        own = {queue for arm in self._desk.plan.arms if (queue := queue_of(self._desk.settings, arm))}
        others = {delivery.queue(queue) for queue in OF_QUEUE for delivery in Delivery} - own
        mine, theirs = _Backlog(DRAIN_SECONDS), _Backlog(IDLE_SECONDS)
        until = time.monotonic() + OTHERS_SECONDS
        while own and not self._stop.is_set():
            waiting, elsewhere = self._waiting(own), self._waiting(others)
            late = time.monotonic() > until
            if waiting == {} and (late or elsewhere == {} or theirs.stands(elsewhere)):
                return
            if late or mine.stands(waiting):
                raise NotFree(_BROKER_AWAY) if waiting is None else NotAlone(waiting)
            self._stop.wait(LOOK_SECONDS)

    def _drain(self, trial: BrokeredTrial) -> None:
        """Waits until workers have passed over what was cancelled, and ended what they ran."""
        queue = queue_of(self._desk.settings, trial.arm)
        own = {queue} if queue else set()
        until = time.monotonic() + trial.longest + DRAIN_SECONDS
        while not self._stop.is_set():
            trial.ended()
            waiting = self._waiting(own)
            if waiting == {} and not trial.left_behind:
                self._stop.wait(trial.lingers)
                return
            if time.monotonic() > until:
                raise NotFree(_BROKER_AWAY) if waiting is None else NotDrained(self._desk.plan, trial.arm)
            self._stop.wait(LOOK_SECONDS)

    def _waiting(self, queues: Set[str]) -> dict[str, int] | None:
        """How many messages wait in each of them, where there are any; None while the broker is away."""
        try:
            return {queue: count for queue in queues if (count := ready(self._desk.settings, queue))}
        except amqp.ERRORS:
            return None


class _Backlog:
    """Whether messages still grow fewer, as they do where workers are at them."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._left: float = math.inf
        self._until = time.monotonic() + patience

    def stands(self, waiting: Mapping[str, int] | None) -> bool:
        """Whether they, of whom `waiting` are left, have not grown fewer for as long as the patience lasts."""
        before, self._left = self._left, math.inf if waiting is None else sum(waiting.values())
        if self._left < before or not self._left:
            self._until = time.monotonic() + self._patience
        return time.monotonic() > self._until


def pictures_of(
    plan: Plan, controls: Mapping[str, Control], known: Sequence[WorkerPicture] = ()
) -> list[WorkerPicture]:
    """The workers that answer, beside those `known` already: asked until nobody new does, and several times
    where one that `plan` needs is not among them.

    Raises:
        api.experiments.connected.NoWorker: nobody would take the jobs of an arm.
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
