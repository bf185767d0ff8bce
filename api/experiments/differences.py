"""What differs between the arms of a plan, before anything runs."""

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel

from api.experiments.connected import answering, missing
from api.experiments.routes import experiments
from api.services import services
from experiments.broker import Broker, broker_of
from experiments.fairness import fairness_of
from experiments.model import FairnessRow
from experiments.plan import Arm, Plan
from lab.delivery import Delivery
from lab.settings import Settings
from transports.control import WorkerPicture

FIRST_SECONDS: Final = 3.0
BROKER_SECONDS: Final = 60.0


class DifferencesOut(BaseModel):
    """One row for each thing that may differ; its values in the order of the plan's arms."""

    fairness: list[FairnessRow]


@experiments.post("/differences", responses={200: DifferencesOut})
def differences(body: Plan) -> dict[str, object]:
    """Say what differs between the arms of a plan, without running it

    As it is now: `can_equalise` tells what is set alike before the run where the plan asks for it.
    """
    known, settings = pictures_now(), services().settings
    if _unseen(body, known):
        known = answering(body, settings)  # who has just started is in no picture yet
    rows = fairness_of(body, known, settings, broker=_broker(settings))
    return DifferencesOut(fairness=rows).model_dump(mode="json")


def differences_of(plan: Plan) -> list[FairnessRow]:
    """What differs between the arms of `plan`, by what the workers told last, or tell now where the broker has
    consumers that are in no picture yet."""
    known, settings = pictures_now(), services().settings
    consumers = services().watch.snapshot()
    if any(workers_at(consumers, arm) for arm in _unseen(plan, known)):
        services().control.look_soon()
        known = answering(plan, settings)
    return fairness_of(plan, known, settings, broker=_broker(settings))


def _broker(settings: Settings) -> Broker:
    """The broker as it was within the last minute: a page shall not wait for the management API each time."""
    return _broker_in(settings, int(time.monotonic() / BROKER_SECONDS))


@lru_cache(maxsize=2)
def _broker_in(settings: Settings, _minute: int) -> Broker:
    return broker_of(settings)


def workers_at(health: Mapping[str, Any], arm: Arm) -> int | None:
    """How many workers take the jobs of `arm`; None where that is not known or none is needed."""
    found: int | None = health["naive_workers" if arm.delivery is Delivery.NAIVE else "workers"].get(
        arm.method
    )
    return found


def _unseen(plan: Plan, known: Sequence[WorkerPicture]) -> list[Arm]:
    """The arms of `plan` that none of the workers `known` serves."""
    return [plan.arms[place] for place in missing(plan, {(one.method, one.delivery) for one in known})]


def pictures_now() -> list[WorkerPicture]:
    """The workers that answered when they were looked at last."""
    picture = services().control.picture(FIRST_SECONDS)
    workers = picture["workers"] if picture else []
    return [WorkerPicture.model_validate(worker) for worker in workers if not worker["silent_since"]]
