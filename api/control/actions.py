"""What the control page's forms do."""

import re
from collections.abc import Mapping
from typing import Any, Final

from flask import url_for
from werkzeug.wrappers import Response

from api.control import wording
from api.control.purge import purge
from api.control.queues import ready
from api.services import services
from api.web.answers import say
from api.web.forms import whole_number
from api.web.numbers import typed
from api.web.problems import Refusal
from api.web.wording import gettext
from lab.broker import amqp
from lab.usage import MOST_JOBS
from transports.control import CONTROLS, Control, ControlError, Reply, create_control

RATE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(/[smh])?", re.ASCII)
MOST_AT_ONCE: Final = 100

Form = Mapping[str, str]


class OrderRefused(Refusal):
    """A field is at fault, or the broker is away."""


def act(action: str, form: Form) -> Response:
    """Does `action`: ping, grow, shrink or rate_limit.

    Raises:
        Refused: a field is at fault, or the broker is away.
    """
    actions = {"ping": _ping, "grow": _resize, "shrink": _resize, "rate_limit": _rate_limit}
    return actions[action](action, form)


def confirmed_purge(queue: str, form: Form) -> Response:
    """Purges `queue` of at most `count` messages; raises Refused where the broker is away."""
    parts = services()
    count = form.get("count", "")
    try:
        most = _whole(count, 10_000_000) if count else ready(parts.settings, queue)
        gone = purge(parts.settings.rmq_url, queue, most, parts.store)
        left = ready(parts.settings, queue) if gone.messages else 0
    except amqp.ERRORS as error:
        raise OrderRefused(503, wording.away()) from error
    parts.control.look_soon()
    return tell(wording.purged(queue, gone, left), messages=gone.messages, tasks=gone.tasks)


def _ping(_: str, form: Form) -> Response:
    answers = {name: _ask(name, "ping") for name in _methods(form)}
    picture = services().control.picture() or {"workers": []}
    silent = [
        worker["name"]
        for worker in picture["workers"]
        if worker["method"] in answers
        and worker["name"] not in {answer.worker for answer in answers[worker["method"]]}
    ]
    said = [answer for told in answers.values() for answer in told]
    return tell(wording.pinged(said, silent), answers=_told(said), silent=silent)


def _resize(action: str, form: Form) -> Response:
    method, worker = form.get("method", ""), form.get("worker", "")
    if method not in CONTROLS or not 0 < len(worker) <= 255:
        raise OrderRefused(422, wording.which_worker())
    n = _whole(form.get("n", "1"), MOST_AT_ONCE)
    if action == "grow" and _jobs_at_once(worker) + n > MOST_JOBS:
        raise OrderRefused(422, gettext("A worker runs at most %(n)s jobs at once.", n=MOST_JOBS))
    answers = _ask(method, action, worker, n)
    services().control.look_soon()
    done = wording.resized(worker, n if action == "grow" else -n)
    return _outcome(answers, gettext("%(worker)s did not answer.", worker=worker), done)


def _jobs_at_once(worker: str) -> int:
    """How many jobs the worker was last seen to run at once; 0 where it was not seen."""
    picture = services().control.picture() or {"workers": []}
    return sum(one["concurrency"] or 0 for one in picture["workers"] if one["name"] == worker)


def _rate_limit(_: str, form: Form) -> Response:
    kind, rate = form.get("kind", "").strip(), form.get("rate", "").strip()
    number, slash, unit = rate.partition("/")
    value = typed(number.strip())
    rate = (value if isinstance(value, str) else f"{value:.12g}") + slash + unit.strip()
    match = RATE.fullmatch(rate)
    if match is None or not 0 < len(kind) <= 64:
        text = gettext(
            "A rate is a number, alone or with /s, /m or /h, such as 10/m; 0 lifts the limit. It goes with a kind."
        )
        raise OrderRefused(422, text)
    rate = rate if float(match[1]) else "0"
    answers = [answer for name in _methods(form) for answer in _ask(name, "rate_limit", kind, rate)]
    services().control.look_soon()
    return _outcome(answers, wording.nobody(), wording.limited(kind, rate, len(answers)))


def tell(text: str, status: int = 200, **more: Any) -> Response:
    """The answer to a form: `text`, and a script's own members."""
    return say(text, "control", url_for("pages.control.index"), status, **more)


def _methods(form: Form) -> list[str]:
    """The methods that the form means: one, or all where it names none."""
    method = form.get("method", "")
    if method and method not in CONTROLS:
        raise OrderRefused(422, wording.which_worker())
    return [method] if method else list(CONTROLS)


def _ask(method: str, order: str, *arguments: Any) -> list[Reply]:
    """The answers to one order. A connection belongs to one thread, so each order has its own."""
    asked: Control = create_control(method, services().settings)
    try:
        answers: list[Reply] = getattr(asked, order)(*arguments)
    except ControlError as error:
        raise OrderRefused(503, wording.away()) from error
    finally:
        asked.close()
    return answers


def _whole(text: str, most: int) -> int:
    if not (re.fullmatch(r"[0-9]{1,8}", text) and 1 <= int(text) <= most):
        raise OrderRefused(422, whole_number(1, most))
    return int(text)


def _outcome(answers: list[Reply], silent: str, done: str) -> Response:
    """What an order came to: `silent` where nobody answered, `done` where all obeyed."""
    said: dict[str, Any] = {"answers": _told(answers)}
    if not answers:
        return tell(silent, 504, **said)
    for answer in answers:
        if answer.error:
            refused = gettext("%(worker)s refused: %(error)s", worker=answer.worker, error=answer.error)
            return tell(refused, 409, **said)
    return tell(done, **said)


def _told(answers: list[Reply]) -> list[dict[str, Any]]:
    return [
        {"worker": answer.worker, "ms": round(answer.seconds * 1000, 1), "error": answer.error}
        for answer in answers
    ]
