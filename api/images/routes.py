"""The JSON API of uploads, and the worker's way to a task's files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from flask import Response, abort, request, send_file
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

from api.images.files import DiskFull, Part
from api.images.intake import fault
from api.services import services
from api.web.answers import json_answer
from api.web.bearer import need_token
from api.web.problems import problem
from api.web.schemas import Problem
from lab.jobs.images import MEDIA_TYPES
from lab.status import TaskStatus
from store.fast_sql import json_text
from store.task_queries import Row

images = APIBlueprint(
    "images",
    __name__,
    abp_tags=[Tag(name="Images", description="Upload images and fetch what became of them")],
)

CHUNK_BYTES: Final = 256 * 1024
MOST_RESULT_BYTES: Final = 1024**3
# A browser shows an image that is opened by itself in a page of its own making, styled inline.
_ALONE: Final = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_BINARY: Final = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_MADE: Final = {**_BINARY, "application/json": {"schema": {}}}


class ImageOut(BaseModel):
    """An uploaded image; `width` and `height` are as it is shown."""

    id: str
    name: str
    format: str
    width: int
    height: int
    bytes: int


class ImagesOut(BaseModel):
    """The images just uploaded, in their order; `completed` are the ids of those whose files lacked their
    trailer, which was added."""

    images: list[ImageOut]
    completed: list[str]


class FilePath(BaseModel):
    """A task by its id."""

    task_id: str


class PartPath(FilePath):
    """A part of what a task made."""

    part: Part


@images.post(
    "/api/images",
    responses={201: ImagesOut, 413: Problem, 415: Problem, 422: Problem, 507: Problem},
    openapi_extensions={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["files"],
                        "properties": {
                            "files": {"type": "array", "items": {"type": "string", "format": "binary"}}
                        },
                    }
                }
            },
        }
    },
)
def upload() -> Response:
    """Upload images

    Files are looked into one by one. Where some are refused the answer is 422: `errors` says which and why,
    and `images` holds those that were taken all the same.
    """
    if request.mimetype != "multipart/form-data":
        abort(415, "send the files as multipart/form-data, each as 'files'")
    refusal = expect_files()
    if refusal is not None:
        return refusal
    taken = services().intake.take(request.files.getlist("files"))
    kept = [image_json(row) for row in taken.images]
    if not taken.refused:
        return json_answer({"images": kept, "completed": taken.completed}, 201)
    faults = [fault(refused) for refused in taken.refused]
    detail = "; ".join(f"{one['name']}: {one['message']}" for one in faults)
    return problem(422, "Not all files are images", detail, faults, images=kept, completed=taken.completed)


def expect_files() -> Response | None:
    """Reads this request's upload within its bounds; a problem where it breaks one of them."""
    most = services().settings.upload_count
    allow_files()
    try:
        files = request.files.getlist("files")
    except DiskFull as error:
        return problem(507, "Insufficient Storage", f"{error}: remove something, or wait until images expire")
    if not files:
        return problem(422, "No files", "the form has no file under the name 'files'")
    if len(files) > most:
        fault = {"field": "files", "message": f"takes at most {most} files, not {len(files)}", "bound": most}
        return problem(413, "Too many files", f"files: {fault['message']}", [fault])
    return None


def allow_files() -> None:
    """Lets this request's body be as large as an upload may be; before anything reads its form."""
    settings = services().settings
    most = settings.upload_count
    request.max_content_length = int((settings.upload_megabytes + 1) * 1_000_000) * most
    request.max_form_parts = 10 * most + 20


@images.get(
    "/api/tasks/<task_id>/input",
    responses={200: {"content": _BINARY}, 403: Problem, 404: Problem},
)
def task_input(path: FilePath) -> Response:
    """For workers: the image that a task works on

    The task's own token opens it: `Authorization: Bearer <token>`.
    """
    need_token(path.task_id)
    row = services().store.get(path.task_id)
    upload_id = row["params"].get("image_id", "") if row else ""
    found = services().uploads.get([upload_id]).get(upload_id)
    if found is None or not services().image_files.upload(upload_id).exists():
        abort(404, "this task has no upload, or it has expired")
    return send_file(services().image_files.upload(upload_id), MEDIA_TYPES[found["format"]])


@images.put(
    "/api/tasks/<task_id>/output/<part>",
    responses={204: None, 403: Problem, 404: Problem, 409: Problem, 413: Problem, 507: Problem},
    openapi_extensions={"requestBody": {"required": True, "content": _BINARY}},
)
def task_output(path: PartPath) -> Response:
    """For workers: deliver what a task made

    Delivering it again replaces it, as long as the task has not ended.
    """
    need_token(path.task_id)
    row = services().store.get(path.task_id) or abort(404, "there is no such task")
    if TaskStatus(row["status"]).final:
        abort(409, f"task {row['num']} is {row['status']}")
    request.max_content_length = MOST_RESULT_BYTES
    files = services().image_files
    try:
        with files.incoming() as file:
            while chunk := request.stream.read(CHUNK_BYTES):
                file.write(chunk)
            file.flush()
            files.replace(Path(file.name), path.task_id, path.part)
    except DiskFull as error:
        return problem(507, "Insufficient Storage", str(error))
    return Response(status=204)


@images.get("/api/tasks/<task_id>/result", responses={200: {"content": _MADE}, 404: Problem})
def result(path: FilePath) -> Response:
    """The image that a task made, which `download` has a browser save; any other result as a JSON file"""
    row = services().store.get(path.task_id)
    if row is None or row["result"] is None:
        abort(404, "this task has no result")
    told = row["result"] if isinstance(row["result"], dict) else {}
    media_type = MEDIA_TYPES.get(str(told.get("format")))
    if media_type is None or "image" not in told:
        named = {"Content-Disposition": f"attachment; filename=task-{row['num']}.json"}
        return Response(json_text(row["result"]), headers=named, content_type="application/json")
    if not _has(path.task_id, "result"):
        abort(404, "the image that this task made has expired")
    upload = services().uploads.get([told["image"]]).get(told["image"])
    name = upload["name"] if upload else f"{row['num']}"
    return _send(path.task_id, "result", media_type, name)


@images.get("/api/tasks/<task_id>/preview", responses={200: {"content": _BINARY}, 404: Problem})
def preview(path: FilePath) -> Response:
    """A small WebP picture of the image that a task made"""
    if not _has(path.task_id, "preview"):
        abort(404, "this task made no image, or it has expired")
    return _send(path.task_id, "preview", "image/webp", "preview.webp")


def image_json(row: Row) -> dict[str, Any]:
    """An upload as the API tells it."""
    return {name: row[name] for name in ImageOut.model_fields}


def kept_files(task_ids: Iterable[str], part: Part) -> set[str]:
    """Those of the tasks whose `part` lies here."""
    return {task_id for task_id in task_ids if _has(task_id, part)}


def _has(task_id: str, part: Part) -> bool:
    try:
        return services().image_files.made(task_id, part).exists()
    except ValueError:
        return False


def _send(task_id: str, part: Part, media_type: str, name: str) -> Response:
    answer = send_file(
        services().image_files.made(task_id, part),
        media_type,
        as_attachment="download" in request.args,
        download_name=name,
    )
    answer.headers["Cache-Control"] = "private, max-age=3600"
    answer.headers["Content-Security-Policy"] = _ALONE
    return answer
