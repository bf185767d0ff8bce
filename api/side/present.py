"""A feature and its last run, as the API and the page show them."""

from datetime import datetime
from functools import cache
from typing import Any, Final

from api.services import services
from api.side.feature import METHODS, Feature
from api.side.idioms import IDIOMS
from api.side.source import Excerpt, code_lines, excerpts
from api.web.present import event_json, task_json
from api.web.wording import gettext
from lab.clock import now_us, to_us
from lab.settings import Settings
from lab.status import TaskStatus
from transports.topology import AmqpObject, declared

LETTERS_SEEN: Final = 200
PATIENCE_US: Final = 20_000_000


def feature_json(feature: Feature) -> dict[str, Any]:
    """A feature in the reader's language, with the code, its lines and its objects on each side, and its last
    run (`last`)."""
    return {
        "id": feature.id,
        "title": gettext(feature.title),
        "about": gettext(feature.about),
        "shows": gettext(feature.shows),
        "sides": {method: _side_json(feature, method) for method in METHODS},
        "last": last_run(feature),
    }


def idiom(feature: Feature, method: str) -> dict[str, Any]:
    """The feature as one writes it by `method` in a project of one's own: `text`, and how many `lines` of it are
    code."""
    text = IDIOMS[feature.id][METHODS.index(method)].strip("\n")
    return {"text": text, "lines": len(code_lines(text))}


def last_run(feature: Feature) -> dict[str, Any] | None:
    """The last run with what became of it: `ended` says whether more is to come."""
    run = services().side.last(feature)
    return None if run is None else run_json(run)


def run_json(run: dict[str, Any]) -> dict[str, Any]:
    """A run as it was kept, its tasks with their histories as they stand now."""
    sides = {method: _outcome_json(side) for method, side in run["sides"].items()}
    tasks = [task for side in sides.values() for task in side["tasks"]]
    begun_us = to_us(datetime.fromisoformat(run["at"]))
    waits = any(side["letter"] is False for side in sides.values())
    waits = (waits or any(side["expected"] for side in sides.values())) and now_us() - begun_us < PATIENCE_US
    ended = not waits and all(TaskStatus(task["status"]).final for task in tasks)
    return {"feature": run["feature"], "at": run["at"], "ended": ended, "sides": sides}


def _side_json(feature: Feature, method: str) -> dict[str, Any]:
    side = feature.side(method)
    found = excerpts(side.code)
    known = objects(services().settings)
    return {
        "gives": gettext(side.gives),
        "by_hand": bool(side.code),
        "idiom": idiom(feature, method),
        "lines": sum(excerpt.count for excerpt in found),
        "code": [_excerpt_json(excerpt) for excerpt in found],
        "objects": [_object_json(known[name]) for name in side.objects],
    }


@cache
def objects(settings: Settings) -> dict[str, AmqpObject]:
    """Everything that is declared at RabbitMQ; worked out once."""
    return declared(settings)


def _excerpt_json(excerpt: Excerpt) -> dict[str, Any]:
    return {
        "path": excerpt.path,
        "names": list(excerpt.names),
        "first": excerpt.first,
        "last": excerpt.last,
        "lines": excerpt.count,
        "text": excerpt.text,
    }


def _object_json(found: AmqpObject) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "name": found.name,
        "type": found.type,
        "durable": found.durable,
        "arguments": found.arguments,
        "bound_to": list(found.bound_to),
    }


def _outcome_json(side: dict[str, Any]) -> dict[str, Any]:
    """What one side of a run came to. `letter` is the id of its dead letter, False while it is not there, None
    where there is to be none; `expected` says that tasks are still to be made."""
    ids, workflow = list(side["tasks"]), None
    if side["workflow"] is not None:
        row = services().workflows.rows.get(side["workflow"])
        if row is not None:
            workflow = {name: row[name] for name in ("id", "pattern", "status", "error", "result")}
            ids += [node["id"] for node in services().workflows.rows.nodes(row["id"])]
    return {
        "tasks": [task for task in map(_task_json, ids) if task is not None],
        "workflow": workflow,
        "expected": workflow is not None and not TaskStatus(workflow["status"]).final,
        "letter": None if side["letter"] is None else _letter(side["letter"]),
        "answers": side["answers"],
        "error": side["error"],
        "messages": side["messages"],
    }


def _task_json(task_id: str) -> dict[str, Any] | None:
    """A task with its history; None where it was removed since."""
    row = services().store.get(task_id)
    if row is None:
        return None
    return {**task_json(row), "events": [event_json(event) for event in services().store.history(row["num"])]}


def _letter(text: str) -> int | bool:
    for row in services().dead_letters.page(LETTERS_SEEN):
        if row["body"] == text.encode():
            return int(row["id"])
    return False
