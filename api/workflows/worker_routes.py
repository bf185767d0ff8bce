"""What the steps of workflows ask of the API, each with its task's token: `Authorization: Bearer <token>`."""

from flask import Response, abort, json, send_file
from flask_openapi3 import APIBlueprint, Tag

from api.relay import job_of
from api.services import services
from api.web.answers import json_answer
from api.web.bearer import forbid, need_token
from api.web.problems import invalid
from api.web.schemas import Problem
from api.workflows.schemas import EarlierPath, ItemsIn, JobsOut, NodePath, PathsOut, TableIn

workers = APIBlueprint(
    "workflow_workers",
    __name__,
    url_prefix="/api/tasks/<task_id>",
    abp_tags=[Tag(name="Workflows", description="Tasks that wait for each other, by either transport")],
    abp_responses={403: Problem, 404: Problem, 422: Problem},
)


@workers.get(
    "/files/<earlier_id>",
    responses={
        200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
def file_of(path: EarlierPath) -> Response:
    """For workers: the file that an earlier task of the same workflow made"""
    need_token(path.task_id)
    if not services().workflows.rows.is_earlier(path.earlier_id, path.task_id):
        forbid()
    file = services().image_files.made(path.earlier_id, "result")
    if not file.exists():
        abort(404, "the task made no file, or it has expired")
    return send_file(file, "application/octet-stream")


@workers.post("/paths", responses={200: PathsOut})
def paths(path: NodePath, body: TableIn) -> Response:  # noqa: ARG001 - the one table that there is
    """For workers: the paths that a table of the store holds"""
    need_token(path.task_id)
    return json_answer({"paths": services().workflows.rows.paths()})


@workers.post("/nodes", responses={200: JobsOut})
def nodes(path: NodePath, body: ItemsIn) -> Response:
    """For workers: make the tasks of a map, one for each item

    Asked again, it is the same ones, whatever the list. Each comes with its own token.
    """
    need_token(path.task_id)
    node = services().workflows.map_node(path.task_id) or abort(404, "this task is no map of a workflow")
    try:
        made = services().workflows.following.expand(node, body.items)
    except ValueError as error:
        return invalid([{"field": "items", "message": str(error), "code": "too_long"}])
    jobs = [
        {"node": row["node"], "job": json.loads(job_of(row, services().secret).to_json())} for row in made
    ]
    return json_answer({"nodes": jobs})
