"""The JSON API of the fault lab."""

from typing import Annotated

from flask import Response, request, url_for
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from api.faults.schemas import FaultMatrix, FaultRequest, FaultRunsOut
from api.faults.service import NoBrokerHere
from api.services import services
from api.web.answers import json_answer
from api.web.keys import idempotency_key
from api.web.problems import problem
from api.web.schemas import Problem
from faults.document import FaultDocument
from store.tasks import KeyReused

faults = APIBlueprint(
    "faults",
    __name__,
    url_prefix="/api/faults",
    abp_tags=[Tag(name="Fault lab", description="Who loses what? Faults on a lab of their own, judged")],
    abp_responses={422: Problem},
)

NO_BROKER = (
    "a fault run starts a RabbitMQ of its own, and there is no rabbitmq-server here: `make up` outside containers has"
    " one, and so has the service `faults` of docker-compose.yml"
)


class FaultPath(BaseModel):
    """A run by its id."""

    run_id: str


class FaultQuery(BaseModel):
    """Which runs to list."""

    model_config = ConfigDict(extra="forbid")

    card: Annotated[str | None, Field(max_length=40)] = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[
        str | None, Field(pattern=r"^[0-9]{1,18}$", description="`next` of the answer before")
    ] = None


@faults.post("", responses={202: FaultDocument, 400: Problem, 409: Problem, 413: Problem, 415: Problem})
def submit(body: FaultRequest) -> Response:
    """Run a card of the fault lab

    It never touches this lab: it starts one of its own and ends it. One runs at a time; the others wait. 409 where
    there is no RabbitMQ to start. `Idempotency-Key` is honoured.
    """
    key = idempotency_key(request.headers.get("Idempotency-Key"))
    try:
        (run_id,) = services().faults.start([body.plan()], key)
    except KeyReused:
        return problem(409, "Conflict", "this Idempotency-Key was used before, with another run")
    except NoBrokerHere:
        return problem(409, "No broker", NO_BROKER, code="no_broker")
    response = _whole(run_id, 202)
    response.headers["Location"] = url_for(".one", run_id=run_id)
    return response


@faults.get("", responses={200: FaultRunsOut})
def page(query: FaultQuery) -> Response:
    """List fault runs, newest first"""
    before = int(query.cursor) if query.cursor else None
    found, more = services().faults.page(query.limit, before, query.card)
    return json_answer({"runs": [run.model_dump(mode="json") for run in found], "next": more and str(more)})


@faults.get("/matrix", responses={200: FaultMatrix})
def matrix() -> Response:
    """Faults by contenders: what the newest run of each found on this machine"""
    return json_answer(services().faults.matrix().model_dump(mode="json"))


@faults.get("/<string(length=36):run_id>", responses={200: FaultDocument, 404: Problem})
def one(path: FaultPath) -> Response:
    """One run with its figures, phases and jobs, also while it goes on"""
    return _whole(path.run_id)


@faults.post("/<run_id>/cancel", responses={202: FaultDocument, 404: Problem, 409: Problem})
def cancel(path: FaultPath) -> Response:
    """Cancel a run

    One whose turn has not come is CANCELLED in the answer; one that runs is within three seconds, its fault undone.
    """
    if services().faults.get(path.run_id) is not None and not services().faults.cancel(path.run_id):
        return problem(409, "Conflict", "the run has ended already")
    return _whole(path.run_id, 202)


def _whole(run_id: str, status: int = 200) -> Response:
    found = services().faults.get(run_id)
    return unknown(run_id) if found is None else json_answer(found.model_dump(mode="json"), status)


def unknown(run_id: str) -> Response:
    """The answer where there is no such run."""
    return problem(404, "Not Found", f"there is no fault run with the id {run_id!r}")
