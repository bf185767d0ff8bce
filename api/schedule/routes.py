"""The JSON API of the schedule and its reports."""

from typing import Any, NoReturn

from flask import Response, abort, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from api.schedule.present import ReportOut, ScheduleOut, report_json, schedule_json
from api.schedule.service import now
from api.services import services
from api.web.answers import json_answer
from api.web.keys import idempotency_key
from api.web.present import OneTaskOut, TaskOut, task_json
from api.web.schemas import Problem
from lab.schedule import ENTRIES

schedule = APIBlueprint(
    "schedule",
    __name__,
    abp_tags=[Tag(name="Schedule", description="What runs by the clock, and the daily report")],
    abp_responses={422: Problem},
)

SHOWN_REPORTS = 50


class DueOut(BaseModel):
    """The task that this due time became now; None where it had one already, or was
    passed over since an experiment runs."""

    run: TaskOut | None


class ReportsOut(BaseModel):
    """Reports, newest first."""

    reports: list[ReportOut]


class WholeReportOut(ReportOut):
    """A report with its figures: for each method and kind, and for all, counts, and percentiles in seconds."""

    figures: dict[str, Any]


class EntryPath(BaseModel):
    """An entry by its name."""

    entry: str


class ReportPath(BaseModel):
    """A report by its id."""

    report_id: int = Field(ge=1, le=2**62)


@schedule.get("/api/schedule", responses={200: ScheduleOut})
def whole() -> Response:
    """What runs by the clock, when next, and how it went"""
    return json_answer(schedule_json(now()))


@schedule.post("/api/schedule/<entry>/due", responses={200: DueOut, 404: Problem})
def due(path: EntryPath) -> Response:
    """For workers: beat says that an entry is due

    Which due time is meant the API works out itself; the first word of it makes a task, all others nothing.
    So it takes no login.
    """
    entry = ENTRIES.get(path.entry) or _unknown(path)
    row = services().schedule.due(entry, now())
    return json_answer({"run": None if row is None else task_json(row)})


@schedule.post(
    "/api/schedule/<entry>/run", responses={202: OneTaskOut, 400: Problem, 404: Problem, 409: Problem}
)
def run(path: EntryPath) -> Response:
    """Run an entry now, outside of the schedule

    An `Idempotency-Key` header makes a repeated request return the first one's task.
    """
    entry = ENTRIES.get(path.entry) or _unknown(path)
    key = idempotency_key(request.headers.get("Idempotency-Key"))
    row = services().schedule.run_now(entry, now(), key and f"schedule-{entry.name}:{key}")
    return json_answer({"task": task_json(row)}, 202)


@schedule.get("/api/reports", responses={200: ReportsOut})
def reports() -> Response:
    """The newest reports"""
    rows = services().schedule.reports.newest(SHOWN_REPORTS)
    return json_answer({"reports": [report_json(row) for row in rows]})


@schedule.get("/api/reports/<int:report_id>", responses={200: WholeReportOut, 404: Problem})
def report(path: ReportPath) -> Response:
    """One report with its figures"""
    row = services().schedule.reports.get(path.report_id) or abort(
        404, f"there is no report {path.report_id}"
    )
    return json_answer({**report_json(row), "figures": row["figures"]})


def _unknown(path: EntryPath) -> NoReturn:
    abort(404, f"the schedule has no entry {path.entry!r}")
