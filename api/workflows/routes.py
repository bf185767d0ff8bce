"""The JSON API of workflows."""

from typing import NoReturn

from flask import Response, abort, request, send_file
from flask_openapi3 import APIBlueprint, Tag

from api.services import services
from api.web.answers import json_answer
from api.web.keys import idempotency_key
from api.web.schemas import Problem
from api.workflows.present import workflow_json, workflow_with_nodes
from api.workflows.schemas import (
    WorkflowPath,
    WorkflowRequest,
    WorkflowsOut,
    WorkflowsQuery,
    WorkflowWithNodes,
)
from api.workflows.service import NoChords

workflows = APIBlueprint(
    "workflows",
    __name__,
    url_prefix="/api/workflows",
    abp_tags=[Tag(name="Workflows", description="Tasks that wait for each other, by either transport")],
    abp_responses={422: Problem},
)


@workflows.post("", responses={202: WorkflowWithNodes, 400: Problem, 409: Problem})
def send(body: WorkflowRequest) -> Response:
    """Run a workflow

    `pattern` and `method` are enough. An `Idempotency-Key` header makes a repeated request return the first
    one's workflow. 409 where Celery's result backend cannot do the pattern.
    """
    key = idempotency_key(request.headers.get("Idempotency-Key"))
    try:
        workflow_id = services().workflows.send(body, key)
    except NoChords as error:
        abort(
            409,
            f"RESULT_BACKEND is {error}, which has no chords: {body.pattern} by Celery takes a result backend"
            " that all workers read, such as redis:// or db+sqlite:///",
        )
    return _one(workflow_id, 202)


@workflows.get("", responses={200: WorkflowsOut})
def page(query: WorkflowsQuery) -> Response:
    """List workflows, newest first"""
    rows = services().workflows.rows.recent(query.limit)
    counts = services().workflows.rows.counts([row["id"] for row in rows])
    return json_answer({"workflows": [workflow_json(row, counts[row["id"]]) for row in rows]})


@workflows.get("/<workflow_id>", responses={200: WorkflowWithNodes, 404: Problem})
def one(path: WorkflowPath) -> Response:
    """One workflow with its nodes and edges"""
    return _one(path.workflow_id, 200)


@workflows.post("/<workflow_id>/cancel", responses={202: WorkflowWithNodes, 404: Problem, 409: Problem})
def cancel(path: WorkflowPath) -> Response:
    """Cancel a workflow

    What waits of it will never run, what runs is told to stop.
    """
    row = services().workflows.rows.get(path.workflow_id) or _unknown(path.workflow_id)
    if not services().workflows.cancel(path.workflow_id):
        abort(409, f"the workflow is {row['status']}: it has ended already")
    return _one(path.workflow_id, 202)


@workflows.get(
    "/<workflow_id>/result",
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string", "format": "binary"}}}},
        404: Problem,
    },
)
def result(path: WorkflowPath) -> Response:
    """The file that a workflow made at its end"""
    row = services().workflows.rows.get(path.workflow_id)
    told = row["result"] if row is not None else None
    task_id = str(told.get("task")) if isinstance(told, dict) else ""
    try:
        file = services().image_files.made(task_id, "result")
    except ValueError:
        file = None
    if file is None or not file.exists():
        abort(404, "this workflow made no file, or it has expired")
    name = f"workflow-{path.workflow_id[:8]}.txt"
    return send_file(file, "text/plain", as_attachment=True, download_name=name)


def _one(workflow_id: str, status: int) -> Response:
    return json_answer(workflow_with_nodes(workflow_id) or _unknown(workflow_id), status)


def _unknown(workflow_id: str) -> NoReturn:
    abort(404, f"there is no workflow with the id {workflow_id!r}")
