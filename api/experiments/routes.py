"""The JSON API of experiments."""

from typing import Annotated

from flask import Response, request, url_for
from flask_openapi3 import APIBlueprint, Tag
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.experiments.connected import NoWorker
from api.experiments.service import summary
from api.services import services
from api.web.answers import json_answer
from api.web.keys import idempotency_key
from api.web.problems import problem
from api.web.schemas import Problem
from experiments.model import Comparison, Experiment, Mark, Total
from experiments.plan import Plan
from experiments.verdict import verdict_of
from store.tasks import KeyReused

experiments = APIBlueprint(
    "experiments",
    __name__,
    url_prefix="/api/experiments",
    abp_tags=[Tag(name="Experiments", description="Which method, and by how much? Plans, figures, reports")],
    abp_responses={422: Problem},
)


class ExperimentPath(BaseModel):
    """An experiment by its id."""

    experiment_id: str


class WholeQuery(BaseModel):
    """How much of an experiment."""

    model_config = ConfigDict(extra="forbid")

    runs: Annotated[bool, Field(description="with its repetitions, which are most of it")] = True


class ExperimentQuery(BaseModel):
    """Which experiments to list."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[
        str | None, Field(pattern=r"^[0-9]{1,18}$", description="`next` of the answer before")
    ] = None


class ExperimentSummary(BaseModel):
    """An experiment without its repetitions."""

    id: str
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    status: str
    plan: Plan
    progress: float
    step: str
    error: str | None
    totals: list[Total]
    comparisons: list[Comparison]
    marks: dict[str, list[Mark]]


class ExperimentsOut(BaseModel):
    """Experiments, newest first; `next` is the cursor of the page of older ones."""

    experiments: list[ExperimentSummary]
    next: str | None


class ExperimentOut(Experiment):
    """All of an experiment; `race` holds, for each arm that has begun in the running turn, (seconds since then,
    share of its jobs that have ended), by `method:delivery`."""

    race: dict[str, list[tuple[float, float]]] = Field(default_factory=dict)


@experiments.post(
    "",
    responses={202: ExperimentOut, 400: Problem, 409: Problem, 413: Problem, 415: Problem},
)
def submit(body: Plan) -> Response:
    """Run an experiment

    One runs at a time; the others wait in the order in which they came. 409 where nobody would take the jobs of
    an arm: `detail` says what to start. `Idempotency-Key` is honoured.
    """
    key = idempotency_key(request.headers.get("Idempotency-Key"))
    try:
        experiment_id = services().experiments.start(body, key)
    except KeyReused:
        return problem(409, "Conflict", "this Idempotency-Key was used before, with another plan")
    except NoWorker as error:
        arm = error.arm.model_dump(mode="json")
        return problem(409, "No worker", str(error), code="no_worker", arm=arm)
    response = _whole(experiment_id, 202)
    response.headers["Location"] = url_for(".one", experiment_id=experiment_id)
    return response


@experiments.get("", responses={200: ExperimentsOut})
def page(query: ExperimentQuery) -> Response:
    """List experiments, newest first"""
    before = int(query.cursor) if query.cursor else None
    found, more = services().experiments.rows.page(query.limit, before)
    return json_answer({"experiments": [summary(one) for one in found], "next": more and str(more)})


@experiments.get("/<string(length=36):experiment_id>", responses={200: ExperimentOut, 404: Problem})
def one(path: ExperimentPath, query: WholeQuery) -> Response:
    """One experiment with all that it has found

    Without the samples, which report.csv has. `runs=false` is for watching it: without its repetitions it costs
    the lab little.
    """
    return _whole(path.experiment_id, runs=query.runs)


@experiments.post("/<experiment_id>/cancel", responses={202: ExperimentOut, 404: Problem, 409: Problem})
def cancel(path: ExperimentPath) -> Response:
    """Cancel an experiment

    One whose turn has not come is CANCELLED in the answer; one that runs is within two seconds, with what it had
    found until then.
    """
    found = services().experiments.rows.get(path.experiment_id, runs=False)
    if found is not None and not services().experiments.cancel(path.experiment_id):
        return problem(409, "Conflict", "the experiment has ended already")
    return _whole(path.experiment_id, 202)


def _whole(experiment_id: str, status: int = 200, *, runs: bool = True) -> Response:
    rows = services().experiments.rows
    found = rows.get(experiment_id, runs=runs)
    if found is None:
        return unknown(experiment_id)
    said = found.model_copy(update={"verdict": verdict_of(found).lines})
    return json_answer({**said.model_dump(mode="json"), "race": rows.race(experiment_id)}, status)


def unknown(experiment_id: str) -> Response:
    return problem(404, "Not Found", f"there is no experiment with the id {experiment_id!r}")
