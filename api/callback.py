"""Where workers report: `POST /update_task_status_api/`."""

from typing import Any

from flask import Response, current_app, json, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ValidationError

from api.problems import invalid, problem
from api.schemas import MAX_UPDATES, Problem, VerdictsOut, faults
from api.services import services
from lab.status import StatusUpdate, Verdict
from lab.token import verify

callback = APIBlueprint(
    "callback",
    __name__,
    abp_tags=[Tag(name="Workers", description="How workers report a task's status")],
)


class Updates(BaseModel):
    """One update, or up to a thousand under `updates`."""

    updates: list[StatusUpdate] | None = None


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
                                        "items": {"$ref": "#/components/schemas/StatusUpdate"},
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
    return _answer(_apply(items))


def _single(item: dict[str, Any]) -> Response:
    try:
        update = StatusUpdate.model_validate(item)
    except ValidationError as error:
        return invalid(faults(error), 400)
    if services().store.get(update.task_id) is None:
        return problem(404, "Not Found", f"there is no task with the id {update.task_id!r}")
    verdict = _apply([item])[0]
    if verdict.error:
        return problem(403, "Forbidden", verdict.error)
    return _answer([verdict])


def _apply(items: list[Any]) -> list[Verdict]:
    """Answers each item in its place; what is malformed or not signed never reaches the store."""
    secret = services().secret
    answers: dict[int, Verdict] = {}
    good: dict[int, StatusUpdate] = {}
    for place, item in enumerate(items):
        try:
            update = StatusUpdate.model_validate(item)
        except ValidationError as error:
            fault = faults(error)[0]
            answers[place] = Verdict(task_id=_id_of(item), error=f"{fault['field']}: {fault['message']}")
            continue
        if verify(secret, update.task_id, update.token):
            good[place] = update
        else:
            answers[place] = Verdict(task_id=update.task_id, error="token: wrong for this task")
    if good:
        answers.update(zip(good, services().store.apply(list(good.values())), strict=True))
    return [answers[place] for place in range(len(items))]


def _id_of(item: Any) -> str:
    found = item.get("task_id") if isinstance(item, dict) else None
    return found[:64] if isinstance(found, str) else ""


def _answer(verdicts: list[Verdict]) -> Response:
    results = [
        verdict.model_dump(mode="json", exclude_none=True, exclude=None if verdict.skip else {"skip"})
        for verdict in verdicts
    ]
    return current_app.response_class(json.dumps({"results": results}), 200, content_type="application/json")
