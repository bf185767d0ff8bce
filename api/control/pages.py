"""The control page: who works, what waits where, and forms to act on it."""

from datetime import datetime
from typing import Final

from flask import Blueprint, abort, jsonify, make_response, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from api.control import wording
from api.control.actions import OrderRefused, act, confirmed_purge, tell
from api.control.poll import NO_PICTURE, can_be_purged
from api.control.queues import is_ours, ready
from api.services import services
from api.web.answers import own_path, say, wants_json
from api.web.i18n import number
from api.web.wording import gettext, ngettext
from lab.broker import amqp
from lab.clock import now_us, to_us
from lab.jobs.kinds import KINDS

control = Blueprint("control", __name__)

FIRST_SECONDS: Final = 3.0


@control.errorhandler(OrderRefused)
def refused(refusal: OrderRefused) -> AnyResponse:
    """Says on the page why nothing was done."""
    return tell(str(refusal.description), refusal.code or 500)


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
        "control/index.html",
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
    return act(action, request.values)


@control.post("/control/rate-limit")
def rate_limit() -> AnyResponse:
    """Sets the `rate` of a `kind` of tasks with the workers of `method`, or with all."""
    return act("rate_limit", request.values)


@control.get("/control/queues/<name>/purge")
def ask_purge(name: str) -> AnyResponse:
    """Asks before a queue is purged: how many messages would go, and what becomes of their tasks."""
    if not is_ours(name):
        abort(404)
    try:
        count = ready(services().settings, name)
    except amqp.ERRORS:
        return tell(wording.away(), 503)
    return make_response(render_template("control/purge.html", queue=name, count=count))


@control.post("/control/queues/<name>/purge")
def purge(name: str) -> AnyResponse:
    """Takes up to `count` messages off a queue, by default what is in it, and cancels their tasks."""
    if not is_ours(name):
        abort(404)
    return confirmed_purge(name, request.values)


@control.post("/control/nowhere")
def nowhere() -> AnyResponse:
    """Has the tasks that the books found, and left to a person, sent again (`do=again`) or given up."""
    parts = services()
    task_ids = ((parts.control.picture() or {}).get("books") or {}).get("open", [])
    if request.form.get("do") == "again":
        n = len(parts.books.send_again(task_ids))
        text = ngettext("%(n)s lost task is sent again.", "%(n)s lost tasks are sent again.", n, n=number(n))
    else:
        n = parts.books.give_up(task_ids)
        text = ngettext("%(n)s lost task is FAILED.", "%(n)s lost tasks are FAILED.", n, n=number(n))
    parts.control.look_soon()
    return say(text, "act", own_path(request.form.get("next", "")), 202)


def _age(at: str | None) -> float | None:
    """Seconds since `at`, to a tenth."""
    if at is None:
        return None
    return round(max(0, now_us() - to_us(datetime.fromisoformat(at))) / 1e6, 1)
