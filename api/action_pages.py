"""What a reader does to one task from its row or its page: cancel it, send it once more."""

from typing import Any

from flask import Blueprint, flash, jsonify, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from api import wording
from api.paths import own_path
from api.present import task_json
from api.services import services
from api.store import Row
from api.wording import gettext

actions = Blueprint("actions", __name__)


@actions.post("/tasks/<task_id>/cancel")
def cancel(task_id: str) -> AnyResponse:
    """Has a task cancelled, and goes back to `next`, by default the task's page. A script that asks for
    JSON gets `{"message", "ok", "task"}`."""
    answer = services().submitter.cancel(task_id)
    if answer is None:
        return _unknown(task_id)
    row, allowed = answer
    if not allowed:
        return _answer(wording.ended(row["num"], row["status"]), row, 409)
    return _answer(wording.cancelled(row["num"], row["status"]), row, 202)


@actions.post("/tasks/<task_id>/retry")
def retry(task_id: str) -> AnyResponse:
    """Sends a task that FAILED or was CANCELLED once more, and goes to `next`, by default the new task's
    page. A script that asks for JSON gets `{"message", "ok", "task"}`."""
    old = services().store.get(task_id)
    answer = services().submitter.retry(task_id)
    if old is None or answer is None:
        return _unknown(task_id)
    row, allowed = answer
    if not allowed:
        return _answer(wording.not_sent_again(row["num"], row["status"]), row, 409)
    return _answer(wording.sent_again(old["num"], row["num"]), row, 202)


def wants_json() -> bool:
    """Whether a script asks, which shows the answer by itself."""
    return request.accept_mimetypes.best == "application/json"


def _answer(text: str, row: Row, status: int) -> AnyResponse:
    ok = status < 400
    if wants_json():
        answer = jsonify(message=text, ok=ok, task=task_json(row))
        answer.status_code = status
        return answer
    flash(text, "act" if ok else "act error")
    its_page = url_for("pages.task", task_id=row["id"])
    return redirect(own_path(request.form.get("next", ""), its_page), 303)


def _unknown(task_id: str) -> AnyResponse:
    if wants_json():
        body: dict[str, Any] = {"message": gettext("There is no such task"), "ok": False, "task": None}
        return make_response(jsonify(body), 404)
    return make_response(render_template("error.html", code=404, name="", task_id=task_id), 404)
