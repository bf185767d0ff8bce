"""The JSON API of tasks."""

from dataclasses import replace
from typing import NoReturn

from flask import Response, abort, request
from flask_openapi3 import APIBlueprint, Tag

from api.services import services
from api.web.answers import json_answer
from api.web.keys import idempotency_key
from api.web.present import OneTaskOut, TaskPage, TasksOut, TaskWithHistory, event_json, task_json
from api.web.schemas import Problem, TaskPath, TaskQuery, TaskRequest
from store.tasks import Row
from transports import transport_class

tasks = APIBlueprint(
    "tasks",
    __name__,
    url_prefix="/api/tasks",
    abp_tags=[Tag(name="Tasks", description="Submit timed jobs and follow them")],
    abp_responses={422: Problem},
)


@tasks.post(
    "", responses={201: TasksOut, 202: TasksOut, 400: Problem, 409: Problem, 413: Problem, 415: Problem}
)
def submit(body: TaskRequest) -> Response:
    """Submit tasks

    202 for methods with a broker, 201 for `sync`, whose tasks have ended when the answer comes. An
    `Idempotency-Key` header makes a repeated request return the first one's tasks.
    """
    key = idempotency_key(request.headers.get("Idempotency-Key"))
    rows = services().submitter.submit(body, key)
    status = 201 if transport_class(body.method).in_request else 202
    return json_answer({"tasks": [task_json(row) for row in rows]}, status)


@tasks.get("", responses={200: TaskPage})
def page(query: TaskQuery) -> Response:
    """List tasks, newest first"""
    store, place = services().store, int(query.cursor) if query.cursor else None
    asked = replace(query.query(), limit=query.limit + 1, sort=query.sort).at(place)
    rows = store.page(asked)
    more = len(rows) > query.limit
    rows = rows[: query.limit]
    return json_answer(
        {
            "tasks": [task_json(row) for row in rows],
            "next": str(asked.after(rows)) if more else None,
            "counts": store.counts(query.method, query.experiment, checks=query.checks),
        }
    )


@tasks.get("/<task_id>", responses={200: TaskWithHistory, 404: Problem})
def one(path: TaskPath) -> Response:
    """One task with its whole history"""
    store = services().store
    row = store.get(path.task_id) or _unknown(path)
    return json_answer(
        {**task_json(row), "events": [event_json(event) for event in store.history(row["num"])]}
    )


@tasks.post("/<task_id>/cancel", responses={202: OneTaskOut, 404: Problem, 409: Problem})
def cancel(path: TaskPath) -> Response:
    """Cancel a task

    One that no worker has begun is CANCELLED in the answer. One that runs shows `cancel_requested_at`,
    and then ends CANCELLED where its worker stopped it, or DONE or FAILED where it finished first.
    """
    return _changed(path, services().submitter.cancel(path.task_id), "it has ended already")


@tasks.post("/<task_id>/retry", responses={202: OneTaskOut, 404: Problem, 409: Problem})
def retry(path: TaskPath) -> Response:
    """Submit a task again

    For tasks that FAILED or were CANCELLED. A final status stays what it is: the answer is a new task,
    whose `retry_of` names this one; the same new task, however often this one is asked for.
    """
    again = services().submitter.retry(path.task_id)
    return _changed(
        path,
        again,
        "only a task that FAILED or was CANCELLED, and is no step of a workflow, can be sent again",
    )


def _changed(path: TaskPath, answer: tuple[Row, bool] | None, why_not: str) -> Response:
    row, allowed = answer or _unknown(path)
    if not allowed:
        abort(409, f"task {row['num']} is {row['status']}: {why_not}")
    return json_answer({"task": task_json(row)}, 202)


def _unknown(path: TaskPath) -> NoReturn:
    abort(404, f"there is no task with the id {path.task_id!r}")
