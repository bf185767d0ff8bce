"""The JSON API of many tasks at once: as files, and acts on all that a filter fits."""

from collections.abc import Iterator

from flask import Response, current_app, stream_with_context
from flask_openapi3 import APIBlueprint, Tag

from api.services import services
from api.tasks import bulk, export
from api.web.answers import json_answer
from api.web.schemas import BulkOut, BulkRequest, Problem, TaskFilter

many = APIBlueprint(
    "many_tasks",
    __name__,
    url_prefix="/api",
    abp_tags=[Tag(name="Tasks", description="Submit timed jobs and follow them")],
    abp_responses={422: Problem},
)


@many.get("/tasks.csv", responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}})
def as_csv(query: TaskFilter) -> Response:
    """All tasks that the filter fits, as CSV"""
    return _file(export.to_csv(services().store, query.query()), "csv", "text/csv; charset=utf-8")


@many.get("/tasks.json", responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}})
def as_json(query: TaskFilter) -> Response:
    """All tasks that the filter fits, as a JSON file"""
    return _file(export.to_json(services().store, query.query()), "json", "application/json")


@many.post("/tasks/bulk", responses={202: BulkOut, 400: Problem, 413: Problem, 415: Problem})
def act(body: BulkRequest) -> Response:
    """Cancel, retry or delete all tasks that the filter fits

    At most 10,000 tasks. What their status forbids is `refused`: cancelling what has ended, retrying what has not, or
    was retried before, or runs in a request, or is a step of a workflow, deleting what has not ended, or may still be
    in a queue, or is part of a group or workflow.
    """
    outcome = bulk.run(body.act, bulk.matching(body.query(), body.through))
    return json_answer({"matched": outcome.matched, "done": outcome.done, "refused": outcome.refused}, 202)


def _file(pieces: Iterator[str], ending: str, content_type: str) -> Response:
    response = current_app.response_class(stream_with_context(pieces), 200, content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="tasks.{ending}"'
    response.headers["Cache-Control"] = "no-store"
    return response
