"""Where workers report: `POST /update_task_status_api/`."""

from typing import Any, Final

import pydantic_core
from flask import Response, current_app, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import TypeAdapter, ValidationError

from api.services import services
from api.web.problems import invalid, problem
from api.web.schemas import MAX_UPDATES, Problem, VerdictsOut, faults
from lab.status import WRONG_TOKEN, StatusUpdate
from lab.token import verify
from store.task_updates import Answer

callback = APIBlueprint(
    "callback",
    __name__,
    abp_tags=[Tag(name="Workers", description="How workers report a task's status")],
)

_UPDATES: Final = TypeAdapter(list[StatusUpdate])


@callback.post(
    "/update_task_status_api/",
    strict_slashes=False,
    openapi_extensions={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "oneOf": [
                            {"$ref": "#/components/schemas/StatusUpdate"},
                            {
                                "type": "object",
                                "required": ["updates"],
                                "properties": {
                                    "updates": {
                                        "type": "array",
                                        "minItems": 1,
                                        "maxItems": MAX_UPDATES,
                                        "items": {
                                            "anyOf": [{"$ref": "#/components/schemas/StatusUpdate"}, {}],
                                            "description": "each is checked, and answered, by itself",
                                        },
                                    }
                                },
                            },
                        ]
                    }
                }
            },
        }
    },
    responses={200: VerdictsOut, 400: Problem, 403: Problem, 404: Problem, 413: Problem, 415: Problem},
)
def update_task_status() -> Response:
    """Report statuses

    Each update carries its task's own token. In a batch each result has its own `error`; a single
    update answers 403 for a wrong token and 404 for an unknown task.
    """
    body = request.get_json()
    if not isinstance(body, dict):
        return problem(400, "Bad Request", "the body must be a JSON object: an update, or 'updates'")
    if "updates" not in body:
        return _single(body)
    items = body["updates"]
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_UPDATES:
        fault = {"field": "updates", "message": f"takes a list of 1 to {MAX_UPDATES}", "bound": MAX_UPDATES}
        return invalid([fault], 400)
    try:
        return _answer(_take(dict(enumerate(_UPDATES.validate_python(items))), {}))
    except ValidationError:
        return _answer(_one_by_one(items))


def _single(item: dict[str, Any]) -> Response:
    try:
        update = StatusUpdate.model_validate(item)
    except ValidationError as error:
        return invalid(faults(error), 400)
    if services().store.get(update.task_id) is None:
        return problem(404, "Not Found", f"there is no task with the id {update.task_id!r}")
    said = _take({0: update}, {})
    if "error" in said[0]:
        return problem(403, "Forbidden", said[0]["error"])
    return _answer(said)


def _one_by_one(items: list[Any]) -> list[Answer]:
    """Answers each item in its place; what is malformed never reaches the store."""
    good: dict[int, StatusUpdate] = {}
    refused: dict[int, Answer] = {}
    for place, item in enumerate(items):
        try:
            good[place] = StatusUpdate.model_validate(item)
        except ValidationError as error:
            fault = faults(error)[0]
            refused[place] = _refusal(_id_of(item), f"{fault['field']}: {fault['message']}")
    return _take(good, refused)


def _take(updates: dict[int, StatusUpdate], refused: dict[int, Answer]) -> list[Answer]:
    """Has the store take what is signed, counts what is signed otherwise, and answers everything in its place."""
    secrets = services().secrets
    signed = {place: one for place, one in updates.items() if verify(secrets, one.task_id, one.token)}
    foreign = {place: one for place, one in updates.items() if place not in signed}
    # Without a token it is no task of the API's: somebody sent it by hand.
    services().watch.count_refused(sum(bool(one.token) for one in foreign.values()))
    refused |= {place: _refusal(one.task_id, WRONG_TOKEN) for place, one in foreign.items()}
    answers = refused | dict(zip(signed, services().store.answers(list(signed.values())), strict=True))
    return [answers[place] for place in sorted(answers)]


def _refusal(task_id: str, error: str) -> Answer:
    return {"task_id": task_id, "applied": False, "cancel": False, "error": error}


def _id_of(item: Any) -> str:
    found = item.get("task_id") if isinstance(item, dict) else None
    return found[:64] if isinstance(found, str) else ""


def _answer(results: list[Answer]) -> Response:
    body = pydantic_core.to_json({"results": results})
    return current_app.response_class(body, 200, content_type="application/json")
