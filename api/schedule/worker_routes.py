"""What the schedule's jobs ask of the API, each with its task's token: `Authorization: Bearer <token>`."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from flask import Response, abort
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from api.schedule.present import ReportOut, report_json
from api.schedule.reports.text import write
from api.schedule.service import now
from api.services import services
from api.watch import Watch
from api.web.answers import json_answer
from api.web.bearer import need_token
from api.web.schemas import Problem, TaskPath
from lab.broker import amqp
from lab.clock import to_us
from lab.status import TaskStatus
from lab.values import Text
from store.task_queries import Row
from transports.methods import CELERY, RABBITMQ

workers = APIBlueprint(
    "schedule_workers",
    __name__,
    url_prefix="/api/tasks/<task_id>",
    abp_tags=[Tag(name="Schedule", description="What runs by the clock, and the daily report")],
    abp_responses={403: Problem, 404: Problem, 409: Problem, 422: Problem},
)

FRESH_SECONDS: Final = 1.0


class MailState(BaseModel):
    """What becomes of a report's mail; an `error` where it failed."""

    state: Literal["sending", "sent", "failed"]
    error: Annotated[Text | None, Field(max_length=2000)] = None


class LookOut(BaseModel):
    """`troubles` is a sentence for each; `figures` are for the check's result."""

    troubles: list[str]
    figures: dict[str, Any]


class MadeReportOut(ReportOut):
    """The task's report, with what tells its mails apart from others."""

    key: int


class MailOut(BaseModel):
    """The report as a mail says it."""

    subject: str
    text: str
    html: str


class MailStateOut(BaseModel):
    """What became of the mail."""

    state: str


class CleanedUpOut(BaseModel):
    """How many rows of each table were removed, and whether there are more to remove."""

    removed: dict[str, int]
    more: bool


@workers.post("/health", responses={200: LookOut})
def health(path: TaskPath) -> Response:
    """For workers: how store, broker and workers are"""
    need_token(path.task_id)
    return json_answer(_look(services().watch))


@workers.post("/report", responses={200: MadeReportOut})
def report(path: TaskPath) -> Response:
    """For workers: make the task's report, once

    Asked again, it is the same report.
    """
    row = _report(_task(path, "generate_daily_report"))
    return json_answer({**report_json(row), "key": row["created_us"]})


@workers.post("/report/text", responses={200: MailOut})
def report_text(path: TaskPath) -> Response:
    """For workers: the report as a mail says it"""
    return json_answer(write(_report(_task(path, "generate_daily_report")), services().settings))


@workers.post("/report/mail", responses={200: MailStateOut})
def report_mail(path: TaskPath, body: MailState) -> Response:
    """For workers: what becomes of the report's mail

    `sending` before it is handed to the mail server: 409 where that was told before and did not fail.
    """
    # A mail that the server took while its task was cancelled was taken all the same.
    task = _task(path, "generate_daily_report", ended=body.state != "sending")
    rows = services().schedule.reports
    if body.state != "sending":
        rows.end_mail(task["id"], body.state, body.error)
    elif not rows.begin_mail(task["id"]):
        abort(409, "this report's mail is being sent, or was sent")
    return json_answer({"state": body.state})


@workers.post("/clean-up", responses={200: CleanedUpOut})
def clean_up(path: TaskPath) -> Response:
    """For workers: remove some of what ended long ago

    Tells how much of what it removed, and whether there is more.
    """
    _task(path, "cleanup_old_data")
    removed, more = services().schedule.clean_up(now())
    return json_answer({"removed": removed, "more": more})


def _look(watch: Watch) -> dict[str, Any]:
    """`troubles`, a sentence each, none where all is well; and `figures`, for the check's result."""
    seen = watch.refresh(FRESH_SECONDS)
    workers = {
        method: (n or 0) + (seen["naive_workers"][method] or 0) for method, n in seen["workers"].items()
    }
    troubles = []
    if not seen["store"]["up"]:
        troubles.append("the store does not answer")
    if not seen["broker"]["up"]:
        troubles.append("the API does not reach the broker")
    elif not workers[RABBITMQ.name]:
        troubles.append(
            f"no consumer is connected: nobody takes messages off the queue {amqp.RABBITMQ_QUEUE}"
        )
    figures = {
        "store": "up",
        "broker": "up",
        "celery_workers": workers[CELERY.name],
        "consumers": workers[RABBITMQ.name],
        "outbox": seen["waiting"],
        "dead_letters": seen["dead_letters"],
    }
    return {"troubles": troubles, "figures": figures}


def _report(task: Row) -> Row:
    since, until = (to_us(datetime.fromisoformat(task["params"][name])) for name in ("since", "until"))
    return services().schedule.reports.make(task["id"], since, until)


def _task(path: TaskPath, kind: str, *, ended: bool = False) -> Row:
    """The task that asks, of this kind and, unless it may have `ended`, under way."""
    need_token(path.task_id)
    row = services().store.get(path.task_id)
    if row is None or row["kind"] != kind:
        abort(404, f"there is no task of the kind {kind} with this id")
    if TaskStatus(row["status"]).final and not ended:
        abort(409, f"task {row['num']} is {row['status']}")
    return row
