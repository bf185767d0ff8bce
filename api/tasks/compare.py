"""What the tasks in view came to, method by method: for the strip of the front page, and as JSON."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response, render_template, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, TypeAdapter, ValidationError

from api.services import services
from api.tasks.filter import Filter
from api.web.answers import json_answer
from api.web.schemas import Problem, TaskFilter
from lab.clock import now_us, to_iso, to_us
from lab.values import Moment
from store.compare import NEWEST, SPANS, Comparison, compare
from store.tasks import Query
from transports.methods import METHODS

comparison = APIBlueprint(
    "compare",
    __name__,
    url_prefix="/api/compare",
    abp_tags=[Tag(name="Tasks")],
    abp_responses={422: Problem},
)
strip = Blueprint("compare_page", __name__)

COUNTS: Final = ("count", "done", "failed", "retried")
_MOMENT: Final[TypeAdapter[datetime]] = TypeAdapter(Moment)


class Percentiles(BaseModel):
    """The median and the 99th percentile by the nearest rank, in seconds; null where no task has such a span."""

    p50: float | None
    p99: float | None


class MethodOut(BaseModel):
    """What the tasks of one method came to. `retried` ran more than once. `waited` is from when a task was due to
    its begin; `ran` from there to its end; `overhead` what a timed task ran beyond its seconds; `total` from due to
    end. `more`: older tasks were left out."""

    count: int
    done: int
    failed: int
    retried: int
    waited: Percentiles
    ran: Percentiles
    overhead: Percentiles
    total: Percentiles
    more: bool


class ComparisonOut(BaseModel):
    """Every method, over the newest `newest` tasks of each that fit."""

    methods: dict[str, MethodOut]
    newest: int


@comparison.get("", responses={200: ComparisonOut})
def as_json(query: TaskFilter) -> Response:
    """Compare the methods

    Over tasks that fit the filters, by method: how many, and median and p99 of their spans.
    """
    return json_answer({"methods": _compared(query.query()), "newest": NEWEST})


@strip.get("/compare")
def page() -> str:
    """The strip by itself: what scripts put in place, and what is to be read without them. With `part` in the address
    it comes without the page around it, with `moment` of tasks since then."""
    since = _moment(request.args.get("moment", ""))
    chosen = Filter.of(request.args).query(0)
    if since is not None:
        chosen = replace(chosen, since_us=max(to_us(since), chosen.since_us or 0))
    found = _compared(chosen)
    template = "tasks/_compare.html" if "part" in request.args else "tasks/compare.html"
    return render_template(template, **strip_of(found), since=since)


def strip_of(found: dict[str, Comparison] | None = None) -> dict[str, Any]:
    """What the template of the strip takes; without figures its places are empty."""
    found = found or {name: _nothing() for name in METHODS}
    longest = {span: max((one[span]["p99"] or 0.0 for one in found.values()), default=0.0) for span in SPANS}
    return {"compared": found, "spans": SPANS, "longest": longest, "newest": NEWEST, "now": to_iso(now_us())}


def _nothing() -> Comparison:
    unknown = {span: {"p50": None, "p99": None} for span in SPANS}
    return {**dict.fromkeys(COUNTS), **unknown, "more": False}


def _compared(query: Query) -> dict[str, Comparison]:
    store = services().store
    return {name: compare(store, query, name) for name in METHODS}


def _moment(text: str) -> datetime | None:
    try:
        return _MOMENT.validate_python(text)
    except ValidationError:
        return None
