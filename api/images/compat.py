"""Groups as plainly as they can be had over HTTP: three routes, each with a small JSON object."""

from dataclasses import asdict
from typing import Any, Final

from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, ValidationError

from api.services import services
from api.web.answers import json_answer
from api.web.schemas import faults
from lab.jobs.images import Operation
from transports.celery.groups import BackendAway

seed = APIBlueprint(
    "seed", __name__, abp_tags=[Tag(name="Groups in brief", description="A Celery group of images")]
)

MOST_IMAGES: Final = 1_000
LONGEST_ID: Final = 255
MISSING: Final = "Missing or invalid images parameter"
UNKNOWN: Final = "Invalid group_id"


class GroupPath(BaseModel):
    """A group by its id."""

    group_id: str


class ErrorOut(BaseModel):
    """What is wrong."""

    model_config = ConfigDict(extra="allow")

    error: str


class GroupIdOut(BaseModel):
    """The group that was sent."""

    group_id: str


class ShareOut(BaseModel):
    """The share of the group's tasks that are done, 0 to 1."""

    status: float


class CancelledOut(BaseModel):
    """How many tasks will never begin, how many were running and are being stopped, and how many had
    ended, well or not."""

    cancelled: int
    running: int
    done: int
    failed: int


@seed.post(
    "/process_images",
    responses={202: GroupIdOut, 400: ErrorOut},
    openapi_extensions={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["images"],
                        "properties": {
                            "images": {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": MOST_IMAGES,
                                "items": {"type": "string", "minLength": 1, "maxLength": LONGEST_ID},
                            },
                            "operation": {"$ref": "#/components/schemas/Operation"},
                        },
                    }
                }
            },
        }
    },
)
def process_images() -> Response:
    """Process images as a Celery group

    An id that names an upload is worked on by `operation`, by default a thumbnail; another id takes as long
    as a real image might (LAB_IMAGE_SECONDS).
    """
    given = request.get_json(silent=True)
    body: dict[str, Any] = given if isinstance(given, dict) else {}
    images = body.get("images")
    if not isinstance(images, list) or not images:
        return json_answer({"error": MISSING}, 400)
    if len(images) > MOST_IMAGES:
        return json_answer({"error": MISSING, "detail": f"images takes at most {MOST_IMAGES} ids"}, 400)
    if not all(isinstance(image, str) and _is_id(image) for image in images):
        detail = f"each of images is a text of 1 to {LONGEST_ID} printable characters"
        return json_answer({"error": MISSING, "detail": detail}, 400)
    try:
        operation = Operation.model_validate(body.get("operation", {"name": "thumbnail"}))
    except ValidationError as error:
        return json_answer({"error": "Invalid operation parameter", "errors": faults(error)}, 400)
    return json_answer({"group_id": services().groups.send_any(images, operation)}, 202)


@seed.get("/status/<group_id>", responses={200: ShareOut, 404: ErrorOut, 503: ErrorOut})
def status(path: GroupPath) -> Response:
    """The share of a group's tasks that are done"""
    try:
        share = services().groups.share(path.group_id)
    except BackendAway as error:
        return _away(error)
    return json_answer({"error": UNKNOWN}, 404) if share is None else json_answer({"status": share})


@seed.post("/cancel/<group_id>", responses={200: CancelledOut, 404: ErrorOut, 503: ErrorOut})
def cancel(path: GroupPath) -> Response:
    """Cancel what has not ended of a group"""
    return _cancel(path.group_id)


@seed.delete("/cancel/<group_id>", responses={200: CancelledOut, 404: ErrorOut, 503: ErrorOut})
def delete(path: GroupPath) -> Response:
    """Cancel what has not ended of a group"""
    return _cancel(path.group_id)


def _cancel(group_id: str) -> Response:
    try:
        cancelled = services().groups.cancel(group_id)
    except BackendAway as error:
        return _away(error)
    return json_answer({"error": UNKNOWN}, 404) if cancelled is None else json_answer(asdict(cancelled))


def _is_id(image: str) -> bool:
    return 0 < len(image) <= LONGEST_ID and image.isprintable()


def _away(error: BackendAway) -> Response:
    return json_answer({"error": f"Celery's result backend does not answer: {error}"}, 503)
