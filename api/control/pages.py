"""The control page: who works, what waits where, and forms to act on it."""

from datetime import datetime
from typing import Any, Final

from flask import Blueprint, abort, flash, jsonify, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from api.answers import say, wants_json
from api.control import wording
from api.control.actions import Outcome, Refused, act, confirmed_purge
from api.control.look import NO_PICTURE, can_be_purged
from api.control.queues import is_ours, ready
from api.services import services
from api.wording import gettext
from lab import amqp
from lab.clock import now_us, to_us
from lab.kinds import KINDS

control = Blueprint("control", __name__)

FIRST_SECONDS: Final = 3.0


@control.get("/control")
def index() -> AnyResponse:
    """Workers and queues as they were seen last; JSON where a program asks, or with `format=json`."""
    picture = services().control.picture(FIRST_SECONDS) or NO_PICTURE
    age = _age(picture["at"])
    if request.args.get("format") == "json" or wants_json():
        shown = {name: picture[name] for name in NO_PICTURE}
        return jsonify({"at": shown.pop("at"), "age": age, **shown})
    kinds = {kind for worker in picture["workers"] for kind in worker["kinds"] or ()}
    page = render_template(
        "control.html",
        picture=picture,
        age=age,
        workers=picture["workers"],
        queues=[{**queue, "purge": can_be_purged(queue)} for queue in picture["queues"]],
        trouble=wording.trouble(picture),
        kinds=sorted(kinds or KINDS),
        unreachable=gettext("The lab does not answer. Try again."),
    )
    return make_response(page)


@control.post("/control/<any(ping, grow, shrink):action>")
def order(action: str) -> AnyResponse:
    """Pings all workers, or changes the pool of the one that `method` and `worker` name by `n`."""
    return _answer(lambda: act(action, request.values))


@control.post("/control/rate-limit")
def rate_limit() -> AnyResponse:
    """Sets the `rate` of a `kind` of tasks with the workers of `method`, or with all."""
    return _answer(lambda: act("rate_limit", request.values))


@control.get("/control/queues/<name>/purge")
def ask_purge(name: str) -> AnyResponse:
    """Asks before a queue is purged: how many messages would go, and what becomes of their tasks."""
    if not is_ours(name):
        abort(404)
    try:
        count = ready(services().settings, name)
    except amqp.ERRORS:
        flash(wording.away(), "control error")
        return redirect(url_for("pages.control.index"), 303)
    return make_response(render_template("control_purge.html", queue=name, count=count))


@control.post("/control/queues/<name>/purge")
def purge(name: str) -> AnyResponse:
    """Takes up to `count` messages off a queue, by default what is in it, and cancels their tasks."""
    if not is_ours(name):
        abort(404)
    return _answer(lambda: confirmed_purge(name, request.values))


def _answer(do: Any) -> AnyResponse:
    """Does it and says what became of it: to a script as `{"message", "ok", "answers"}`."""
    try:
        outcome: Outcome = do()
    except Refused as refusal:
        outcome = Outcome(str(refusal), refusal.status)
    target = url_for("pages.control.index")
    return say(outcome.message, "control", target, outcome.status, **outcome.more)


def _age(at: str | None) -> float | None:
    """Seconds since `at`, to a tenth."""
    if at is None:
        return None
    return round(max(0, now_us() - to_us(datetime.fromisoformat(at))) / 1e6, 1)
