"""The page of dead letters, and what is done with them there."""

import re
from typing import Any, Final

from flask import Blueprint, abort, render_template, request, url_for
from pydantic_core import from_json, to_json
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as AnyResponse

from api.letters.collector import BODY_BYTES
from api.letters.routes import letter_json
from api.services import services
from api.submit import BrokerAway, QueueGone
from api.web import wording
from api.web.answers import say
from api.web.wording import gettext
from lab.status import TaskStatus
from store.tasks import Row
from transports.methods import OF_QUEUE

letters = Blueprint("letters", __name__)

PAGE_SIZE: Final = 25
MOST_ID: Final = 2**62
SHOWN_CHARACTERS: Final = 50_000
SHOWN_BYTES: Final = 4096
# What a text may hold and still be read as text: no control characters but tab and line ends.
_UNREADABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@letters.get("/dead-letters")
def index() -> str:
    """The dead letters, newest first."""
    text = request.args.get("before", "")
    before = int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None
    rows = services().dead_letters.page(PAGE_SIZE + 1, before)
    older = len(rows) > PAGE_SIZE
    rows = rows[:PAGE_SIZE]
    return render_template(
        "letters/index.html",
        letters=[_head(row) for row in rows],
        older=rows[-1]["id"] if older else None,
        before=before,
    )


@letters.get("/dead-letters/<int:letter_id>")
def letter(letter_id: int) -> str:
    """One dead letter: what is in it, without consuming it."""
    row = _get(letter_id)
    return render_template("letters/one.html", letter={**_head(row), **_content(row)})


@letters.post("/dead-letters/<int:letter_id>/requeue")
def requeue(letter_id: int) -> AnyResponse:
    """Sends a dead letter again, and goes back to the list."""
    row = _get(letter_id)
    task = services().store.get(row["task_id"]) if row["task_known"] else None
    sent_again = task is not None and task["status"] in (TaskStatus.FAILED, TaskStatus.CANCELLED)
    try:
        done = services().submitter.requeue(letter_id)
    except BrokerAway:
        return _say(gettext("The broker does not answer. The letter is still here."), 503)
    except QueueGone as error:
        gone = gettext("There is no queue %(queue)s any more. The letter is still here.", queue=str(error))
        return _say(gone, 409)
    return _say(wording.requeued(letter_id, row["queue"], sent_again) if done else _gone())


@letters.post("/dead-letters/<int:letter_id>/discard")
def discard(letter_id: int) -> AnyResponse:
    """Forgets a dead letter, and goes back to the list."""
    done = letter_id <= MOST_ID and services().dead_letters.discard(letter_id)
    return _say(gettext("Letter %(id)s is discarded.", id=letter_id) if done else _gone())


def count() -> int:
    """How many dead letters there are; as last seen where the store does not answer."""
    try:
        return services().dead_letters.count()
    except SQLAlchemyError:
        return int(services().watch.snapshot().get("dead_letters", 0))


def _get(letter_id: int) -> Row:
    return (letter_id <= MOST_ID and services().dead_letters.get(letter_id)) or abort(404)


def _gone() -> str:
    return gettext("That letter is not here any more.")


def _say(text: str, status: int = 200) -> AnyResponse:
    return say(text, "letters", url_for("pages.letters.index"), status)


def _head(row: Row) -> dict[str, Any]:
    """What the list shows of a letter."""
    told = letter_json({**row, "body": b""})
    task = services().store.get(row["task_id"]) if row["task_known"] else None
    size = len(row["body"])
    return {
        **told,
        "method": OF_QUEUE.get(row["queue"]),
        "why": wording.reason(row["reason"], told["unknown_task"]),
        "task_num": None if task is None else task["num"],
        "size": wording.size(size, cut=size >= BODY_BYTES),
    }


def _content(row: Row) -> dict[str, Any]:
    """What is in a letter: `text` (`is_json` where it is that, and set out), else `dump`, the bytes as
    numbers and characters; `cut` where only the beginning is shown."""
    body: bytes = row["body"]
    properties = to_json(row["properties"], indent=2).decode()
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    if (body and not text) or _UNREADABLE.search(text):
        dump = _dump(body[:SHOWN_BYTES])
        return {"text": None, "dump": dump, "cut": len(body) > SHOWN_BYTES, "properties": properties}
    try:
        set_out = to_json(from_json(body, allow_inf_nan=False), indent=2, inf_nan_mode="constants")
        from_json(set_out, allow_inf_nan=False)  # a number too great for a float is shown as it came
        text, is_json = set_out.decode(), True
    except ValueError:
        is_json = False
    cut = len(text) > SHOWN_CHARACTERS
    return {"text": text[:SHOWN_CHARACTERS], "is_json": is_json, "cut": cut, "properties": properties}


def _dump(data: bytes) -> str:
    """`data` as hexadecimal numbers, sixteen in a line, each line between its offset and its characters."""
    lines = []
    for start in range(0, len(data), 16):
        part = data[start : start + 16]
        characters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:06x}  {part.hex(' '):<47}  {characters}")
    return "\n".join(lines)
