"""The JSON API of dead letters."""

from typing import Any, NoReturn

from flask import Response, abort
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from api.services import services
from api.submit import BrokerAway, QueueGone
from api.web.answers import json_answer
from api.web.present import row_json
from api.web.schemas import Problem
from store.letters import unknown_task
from store.task_queries import Row

letters = APIBlueprint(
    "letters",
    __name__,
    url_prefix="/api/dead-letters",
    abp_tags=[Tag(name="Dead letters", description="Messages that no worker could handle")],
    abp_responses={422: Problem},
)


class LetterOut(BaseModel):
    """A dead letter; `body` is text where it is UTF-8, else `body_hex` holds it. `unknown_task` is the name of
    the Celery task that no worker has."""

    id: int
    queue: str
    reason: str
    unknown_task: str | None
    task_id: str | None
    task_known: bool
    body: str | None
    body_hex: str | None
    properties: dict[str, Any]
    at: str


class LettersOut(BaseModel):
    """Dead letters, newest first; `next` is the cursor of the older ones."""

    dead_letters: list[LetterOut]
    next: int | None


class LetterQuery(BaseModel):
    """Which letters to list."""

    limit: int = Field(50, ge=1, le=200)
    cursor: int | None = Field(None, ge=1, le=2**62)


class LetterPath(BaseModel):
    """A letter by its id."""

    letter_id: int = Field(ge=1, le=2**62)


class RequeuedOut(BaseModel):
    """The id of the letter that was sent again."""

    requeued: int


class DiscardedOut(BaseModel):
    """The id of the letter that was removed."""

    discarded: int


@letters.get("", responses={200: LettersOut})
def page(query: LetterQuery) -> Response:
    """List dead letters"""
    rows = services().dead_letters.page(query.limit + 1, query.cursor)
    more, rows = len(rows) > query.limit, rows[: query.limit]
    body = {"dead_letters": [letter_json(row) for row in rows], "next": rows[-1]["id"] if more else None}
    return json_answer(body)


@letters.post(
    "/<int:letter_id>/requeue", responses={202: RequeuedOut, 404: Problem, 409: Problem, 503: Problem}
)
def requeue(path: LetterPath) -> Response:
    """Send a dead letter again

    The letter of a known task becomes a new task, as `retry` does; any other goes back to its queue as it
    was. Either way the letter is gone then.
    """
    try:
        done = services().submitter.requeue(path.letter_id)
    except BrokerAway as error:
        abort(503, f"the broker does not answer: {error}")
    except QueueGone as error:
        abort(409, f"there is no queue {error} any more")
    return json_answer({"requeued": path.letter_id}, 202) if done else _unknown(path)


@letters.post("/<int:letter_id>/discard", responses={200: DiscardedOut, 404: Problem})
def discard(path: LetterPath) -> Response:
    """Forget a dead letter"""
    done = services().dead_letters.discard(path.letter_id)
    return json_answer({"discarded": path.letter_id}) if done else _unknown(path)


def letter_json(row: Row) -> dict[str, Any]:
    """A dead letter; its body as text where it is UTF-8, as hexadecimal digits where it is not."""
    try:
        text, digits = row["body"].decode(), None
    except UnicodeDecodeError:
        text, digits = None, row["body"].hex()
    return {
        **row_json(LetterOut, row),
        "unknown_task": unknown_task(row["reason"], row["properties"]),
        "body": text,
        "body_hex": digits,
        "properties": row["properties"] if isinstance(row["properties"], dict) else {},
    }


def _unknown(path: LetterPath) -> NoReturn:
    abort(404, f"there is no dead letter {path.letter_id}")
