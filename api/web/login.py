"""The login, where LAB_USER and LAB_PASSWORD are set: a page and its cookie for people, HTTP Basic for
programs. Where they are not, everybody has entered already."""

import hashlib
import hmac
from collections.abc import Set
from typing import Any, Final

from flask import (
    Blueprint,
    Flask,
    current_app,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from werkzeug.wrappers import Response as AnyResponse

from api.services import services
from api.web import problems
from api.web.answers import here, own_path
from api.web.limiter import Limiter
from api.web.problems import Refusal
from api.web.wording import gettext
from lab.token import sign

TRIES_PER_MINUTE: Final = 10
CHALLENGE: Final = 'Basic realm="Transport Lab", charset="UTF-8"'

login = Blueprint("login", __name__)


def init_app(app: Flask, open_endpoints: Set[str]) -> None:
    """Asks everybody to log in, except for `open_endpoints`."""
    app.register_blueprint(login)

    @app.before_request
    def require() -> AnyResponse | None:
        if request.endpoint in open_endpoints or entered():
            return None
        credentials = request.authorization
        if credentials is not None and credentials.type == "basic":
            if _try(credentials.username or "", credentials.password or ""):
                g.entered = True
                return None
        elif request.method == "GET" and not problems.wants_document():
            return redirect(url_for("login.page", next=here()))
        answer = problems.refuse(Refusal(401, gettext("Log in first: on the page /login, or by HTTP Basic.")))
        if request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate":
            answer.headers["WWW-Authenticate"] = CHALLENGE  # a script's request would open a browser's dialog
        return answer

    @app.context_processor
    def offer() -> dict[str, Any]:
        return {"entered": entered(), "has_login": services().settings.user is not None}


def entered() -> bool:
    """Whether this request comes from somebody who may see the lab."""
    if services().settings.user is None or g.get("entered"):
        return True
    return hmac.compare_digest(str(session.get("login", "")), _proof())


@login.get("/login")
def page() -> AnyResponse:
    """The login page; who has entered already goes on to `next`."""
    if entered():
        return redirect(own_path(request.args.get("next", "")))
    return _page(request.args.get("next", ""))


@login.post("/login")
def enter() -> AnyResponse:
    """Checks user and password, and goes on to `next`."""
    target = request.form.get("next", "")
    if services().settings.user is not None:
        user = request.form.get("user", "")
        if not _try(user, request.form.get("password", "")):
            return _page(target, user, gettext("Wrong user or password."), 401)
        session.clear()
        session["login"] = _proof()
    return redirect(own_path(target), 303)


@login.post("/logout")
def leave() -> AnyResponse:
    """Forgets who had entered with this browser."""
    session.clear()
    return redirect(url_for("login.page"), 303)


def _page(target: str, user: str = "", error: str = "", status: int = 200) -> AnyResponse:
    return make_response(render_template("web/login.html", next=target, user=user, error=error), status)


def _try(user: str, password: str) -> bool:
    """Whether user and password are right; takes equally long for wrong ones, and limits how many are tried.

    Raises:
        Refusal: too many wrong ones came from this address.
    """
    tries: Limiter = current_app.extensions["lab_tries"]
    if wait := tries.take():
        raise Refusal.too_many(wait)
    settings = services().settings
    right = _same(user, settings.user or "") & _same(password, settings.password or "")
    if right:
        tries.give_back()
    return right


def _same(given: str, wanted: str) -> bool:
    digests = (hashlib.sha256(text.encode(errors="replace")).digest() for text in (given, wanted))
    return hmac.compare_digest(*digests)


def _proof() -> str:
    """What the cookie of somebody who has entered holds: of no use once user or password have changed."""
    settings = services().settings
    return sign(services().secret, f"login {settings.user}\n{settings.password}")
