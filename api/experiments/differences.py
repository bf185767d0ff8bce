"""What differs between the arms of a plan, before anything runs."""

from typing import Final

from pydantic import BaseModel

from api.experiments.routes import experiments
from api.experiments.workers import answering, missing
from api.services import services
from experiments.fairness import fairness_of
from experiments.model import FairnessRow
from experiments.plan import Plan
from transports.control import WorkerPicture

FIRST_SECONDS: Final = 3.0


class DifferencesOut(BaseModel):
    """One row for each thing that may differ; its values in the order of the plan's arms."""

    fairness: list[FairnessRow]


@experiments.post("/differences", responses={200: DifferencesOut})
def differences(body: Plan) -> dict[str, object]:
    """Say what differs between the arms of a plan, without running it

    As it is now: `can_equalise` tells what is set alike before the run where the plan asks for it.
    """
    known, settings = pictures_now(), services().settings
    if missing(body, {(one.method, one.delivery) for one in known}):
        known = answering(body, settings)  # who has just started is in no picture yet
    return DifferencesOut(fairness=fairness_of(body, known, settings)).model_dump(mode="json")


def differences_of(plan: Plan) -> list[FairnessRow]:
    """What differs between the arms of `plan`, by what the workers told last."""
    return fairness_of(plan, pictures_now(), services().settings)


def pictures_now() -> list[WorkerPicture]:
    """The workers that answered when they were looked at last."""
    picture = services().control.picture(FIRST_SECONDS)
    workers = picture["workers"] if picture else []
    return [WorkerPicture.model_validate(worker) for worker in workers if not worker["silent_since"]]
