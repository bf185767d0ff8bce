"""How requests are answered: JSON to programs, and to people a sentence and the way back to their page."""

import re
from typing import Any

from flask import Response, current_app, flash, json, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse


def json_answer(body: dict[str, Any], status: int = 200) -> Response:
    """`body` as JSON, as the application writes it, with the HTTP status `status`."""
    return current_app.response_class(json.dumps(body), status, content_type="application/json")


def wants_json() -> bool:
    """Whether a script asks, which shows the answer by itself."""
    return request.accept_mimetypes.best == "application/json"


def say(text: str, place: str, target: str, status: int = 200, **more: Any) -> AnyResponse:
    """The answer to a form: what became of it. A script that asks for JSON gets `{"message", "ok"}` and `more`,
    with `status`; anybody else goes to `target`, where `text` stands at `place`, the category of the message."""
    ok = status < 400
    if wants_json():
        answer = jsonify(message=text, ok=ok, **more)
        answer.status_code = status
        return answer
    flash(text, place if ok else f"{place} error")
    return redirect(target, 303)


def here() -> str:
    """The address of this request, for a link that leads back: its path, behind a proxy with the prefix, and query."""
    return request.script_root + request.full_path.rstrip("?")


def own_path(target: str, otherwise: str | None = None) -> str:
    """`target` if it is a path of this site, else `otherwise`, by default the front page: no link may lead
    readers away."""
    own = target.isprintable() and re.fullmatch(r"/(?![/\\])[^\s\\]*", target)
    return target if own else otherwise or url_for("pages.index")
