"""The page Side by side, and the button that runs both."""

import re
from datetime import datetime
from functools import cache
from typing import Any, Final

from flask import Blueprint, abort, render_template, request, url_for
from markupsafe import Markup
from pydantic_core import to_json
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import JsonLexer, PythonLexer
from werkzeug.wrappers import Response as AnyResponse

from api.services import services
from api.side.feature import METHODS, Feature
from api.side.idioms import IDIOMS
from api.side.present import feature_json, idiom, run_json
from api.side.rows import FEATURES, ROWS
from api.side.service import RunsAlready
from api.side.source import excerpts
from api.web.answers import say
from api.web.wording import gettext

side = Blueprint("side", __name__)

LONGEST_SEARCH: Final = 64
SHOWN_CHARACTERS: Final = 20_000


@side.get("/side-by-side")
def index() -> str:
    """The index of all features, or of those that `q` names."""
    q = request.args.get("q", "").replace("\0", "").strip()[:LONGEST_SEARCH]
    rows = [feature for feature in ROWS if _fits(feature, q)]
    counts = {feature.id: {method: idiom(feature, method)["lines"] for method in METHODS} for feature in ROWS}
    return render_template(
        "side/index.html",
        features=[{"id": feature.id, "title": gettext(feature.title)} for feature in rows],
        counts=counts,
        most=max(max(both.values()) for both in counts.values()),
        q=q,
        config=_words(),
    )


@side.get("/side-by-side/<feature>")
def one(feature: str) -> str:
    """One feature by itself; scripts take its last run from here."""
    found = FEATURES.get(feature) or abort(404)
    return render_template("side/feature.html", feature=_shown(found), config=_words())


@side.post("/side-by-side/<feature>/run")
def run(feature: str) -> AnyResponse:
    """Has both sides do it, and goes to the feature's page, where their histories stand. A script that asks for
    JSON gets `{"message", "ok", "run"}`."""
    found = FEATURES.get(feature) or abort(404)
    try:
        begun = run_json(services().side.run(found))
    except RunsAlready:
        return _answer(found, gettext("It is being run at this moment. Look at what comes of it."), None, 409)
    if any(one["error"] for one in begun["sides"].values()):
        return _answer(found, gettext("Not everything went out; below it says what did not."), begun, 503)
    text = gettext("Sent by both.") if len(begun["sides"]) > 1 else gettext("Sent.")
    return _answer(found, text, begun, 202)


def _answer(feature: Feature, text: str, begun: dict[str, Any] | None, status: int) -> AnyResponse:
    place = f"run-{feature.id}"
    return say(text, place, url_for(".one", feature=feature.id, _anchor=place), status, run=begun)


def _fits(feature: Feature, q: str) -> bool:
    """Whether all words of `q` are somewhere in what is said of the feature, in either language, or in its code."""
    said = [feature.title, feature.about, *(feature.side(method).gives for method in METHODS)]
    text = " ".join([*said, *map(gettext, said), _code(feature.id)]).casefold()
    return all(word in text for word in re.findall(r"\S+", q.casefold()))


@cache
def _code(feature_id: str) -> str:
    """The code of both sides, with the names of what it is."""
    places = [place for method in METHODS for place in FEATURES[feature_id].side(method).code]
    return " ".join([feature_id, *IDIOMS[feature_id], *places, *(found.text for found in excerpts(places))])


def _shown(feature: Feature) -> dict[str, Any]:
    """A feature as the templates take it: code in coloured lines."""
    told = feature_json(feature)
    for side in told["sides"].values():
        side["idiom"]["shown"] = (
            list(enumerate(_python(side["idiom"]["text"]), 1)) if side["idiom"]["text"] else []
        )
        for excerpt in side["code"]:
            excerpt["shown"] = list(enumerate(_python(excerpt["text"]), excerpt["first"]))
    for outcome in (told["last"] or {"sides": {}})["sides"].values():
        for task in outcome["tasks"]:
            task["began"] = None if task["started_at"] is None else _after(task, task["started_at"])
            for event in task["events"]:
                event["after"] = _after(task, event["at"])
        outcome["shown_answers"] = _json(outcome["answers"]) if outcome["answers"] else None
        if outcome["messages"] is not None:
            outcome["messages"] = _alike(outcome["messages"])
        for message in outcome["messages"] or ():
            message["shown_headers"] = _json(message["headers"]) if message["headers"] else None
            message["shown_properties"] = _json(message["properties"])
            message["shown_body"] = _json(message["body"])
    return told


def _alike(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first of all messages of one sort that went one way, with how many there were, `times`."""
    sorts: dict[tuple[Any, ...], dict[str, Any]] = {}
    for message in messages:
        name = message["headers"].get("task") or message["properties"].get("type")
        way = (message["exchange"], message["routing_key"])
        sort = (*way, name, message["properties"].get("priority"), message["headers"].get("ignore_result"))
        sorts.setdefault(sort, {**message, "times": 0})["times"] += 1
    return list(sorts.values())


def _after(task: dict[str, Any], at: str) -> float:
    """Seconds from when the task was taken until `at`."""
    return max(0.0, (datetime.fromisoformat(at) - datetime.fromisoformat(task["created_at"])).total_seconds())


def _json(value: Any) -> Markup:
    text = to_json(value, indent=2, inf_nan_mode="constants").decode()
    return Markup("\n").join(_lines(text[:SHOWN_CHARACTERS], JsonLexer(stripnl=False)))


@cache
def _python(text: str) -> tuple[Markup, ...]:
    """Each line of a piece of Python."""
    return _lines(text, PythonLexer(stripnl=False))


def _lines(text: str, lexer: PythonLexer | JsonLexer) -> tuple[Markup, ...]:
    """Code as HTML, with classes for its colours: https://pygments.org/docs/formatters/#HtmlFormatter"""
    # The formatter closes what it opened at the end of each line.
    shown = highlight(text, lexer, HtmlFormatter(nowrap=True))
    return tuple(Markup(line) for line in shown.rstrip("\n").split("\n"))  # noqa: S704 - Pygments escapes


def _words() -> dict[str, str]:
    """What the page's script says."""
    return {
        "unreachable": gettext("The lab does not answer. Try again."),
        "running": gettext("Running …"),
    }
