"""The JSON API of groups."""

import re
import zipfile
from dataclasses import asdict
from typing import Annotated, Final, NoReturn

from flask import Response, abort, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field
from zipstream import ZipStream

from api.images.compat import CancelledOut, GroupPath
from api.images.group_present import GroupsOut, OneGroupOut, group_json, group_with_tasks
from api.images.groups import UnknownImages
from api.services import services
from api.web.answers import json_answer
from api.web.keys import idempotency_key
from api.web.problems import invalid
from api.web.schemas import Problem
from lab.jobs.images import SUFFIXES, Operation
from transports.methods import BrokeredName

groups = APIBlueprint(
    "groups",
    __name__,
    url_prefix="/api/groups",
    abp_tags=[Tag(name="Groups", description="One operation on many images, by either transport")],
    abp_responses={422: Problem},
)

MOST_IMAGES: Final = 500
LONGEST_STEM: Final = 60


class GroupRequest(BaseModel):
    """One operation on each of several uploads."""

    model_config = ConfigDict(extra="forbid")

    method: BrokeredName
    images: Annotated[list[str], Field(min_length=1, max_length=MOST_IMAGES, description="ids of uploads")]
    operation: Operation


class GroupsQuery(BaseModel):
    """How many groups to list."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=200)] = 50


@groups.post("", responses={202: OneGroupOut, 400: Problem, 409: Problem})
def send(body: GroupRequest) -> Response:
    """Work on uploaded images as one group

    An `Idempotency-Key` header makes a repeated request return the first one's group.
    """
    key = idempotency_key(request.headers.get("Idempotency-Key"))
    try:
        group_id, _ = services().groups.send(body.method, body.images, body.operation, key)
    except UnknownImages as error:
        message = f"no uploads, or expired ones: {', '.join(error.ids[:5])}"
        return invalid([{"field": "images", "message": message, "code": "unknown", "images": error.ids}])
    return _one(group_id, 202)


@groups.get("", responses={200: GroupsOut})
def page(query: GroupsQuery) -> Response:
    """List groups, newest first"""
    rows = services().groups.rows.recent(query.limit)
    counts = services().groups.rows.counts([row["id"] for row in rows])
    return json_answer({"groups": [group_json(row, counts[row["id"]]) for row in rows]})


@groups.get("/<group_id>", responses={200: OneGroupOut, 404: Problem})
def one(path: GroupPath) -> Response:
    """One group with its tasks"""
    return _one(path.group_id, 200)


@groups.post("/<group_id>/cancel", responses={200: CancelledOut, 404: Problem})
def cancel(path: GroupPath) -> Response:
    """Cancel what has not ended of a group"""
    known = services().groups.rows.get(path.group_id)
    return json_answer(asdict((known and services().groups.cancel(path.group_id)) or _unknown(path.group_id)))


@groups.get(
    "/<group_id>/results.zip",
    responses={
        200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}},
        404: Problem,
    },
)
def results(path: GroupPath) -> Response:
    """All results that there are so far, as one ZIP, made while it is sent"""
    group = group_with_tasks(path.group_id)
    made = [task for task in group["tasks"] if task["result_url"]] if group else []
    if not made:
        abort(404, "this group has no results, or they have expired")
    stream = ZipStream(sized=True, compress_type=zipfile.ZIP_STORED)  # images are compressed already
    for place, task in enumerate(made, 1):
        file = services().image_files.made(task["id"], "result")
        stream.add_path(str(file), entry_name(place, task["image"]["name"], task["result"]["format"]))
    return Response(
        stream,
        content_type="application/zip",
        headers={
            "Content-Disposition": f"attachment; filename=images-{path.group_id[:8]}.zip",
            "Content-Length": str(len(stream)),
            "Last-Modified": str(stream.last_modified),
        },
    )


def entry_name(place: int, name: str, image_format: str) -> str:
    """A file's name in the archive: its number, what is harmless of its own name, and the right suffix."""
    stem = re.sub(r"[^\w-]+", "-", name.rpartition(".")[0] or name).strip("-")[:LONGEST_STEM]
    return f"{place:03}-{stem or 'image'}{SUFFIXES[image_format]}"


def _one(group_id: str, status: int) -> Response:
    return json_answer({"group": group_with_tasks(group_id) or _unknown(group_id)}, status)


def _unknown(group_id: str) -> NoReturn:
    abort(404, f"there is no group with the id {group_id!r}")
