"""A task as the outside sees it: names, ISO times, durations in seconds."""

import logging
import re
from functools import cache
from typing import Any, Final

from pydantic import BaseModel

from api.web.schemas import EventOut, TaskOut
from lab.clock import now_us, to_iso
from store.options import options_json
from store.tasks import Row

_READABLE: Final = ("num", "id", "method", "kind", "delivery", "status")

logger = logging.getLogger(__name__)


def task_json(row: Row) -> dict[str, Any]:
    """`row` of the store as the JSON API shows it; of one that holds what no task does, as much as can be shown."""
    try:
        return _task_json(row)
    except Exception as error:
        logger.warning("task %s cannot be read: %s", row["id"], error)
        why = f"this row of the store cannot be read: {type(error).__name__}: {error}"
        readable = dict.fromkeys(row, None) | {name: row[name] for name in _READABLE}
        return _task_json(readable | {"progress": 0.0, "attempt": 0, "created_us": 0, "error": why})


def _task_json(row: Row) -> dict[str, Any]:
    """The same.

    `waited`, `ran` and `total` are seconds, None where they have not begun; while a task is under way
    they are what has passed until now.
    """
    created, started, finished = row["created_us"], row["started_us"], row["finished_us"]
    now = finished or now_us()
    return {
        **row_json(TaskOut, row),
        **result_json(row),
        "options": options_json(row["options"]),
        "cancel_requested_at": iso(row["cancel_us"]),
        "waited": _seconds(created, started or now),
        "ran": None if started is None else _seconds(started, now),
        "total": _seconds(created, now),
    }


def row_json(model: type[BaseModel], row: Row) -> dict[str, Any]:
    """What `row` holds of the fields of `model`: each column under its name, a time `…_us` as `…_at`, in ISO 8601."""
    return {
        name: row[column] if name == column else iso(row[column])
        for name, column in _columns(model)
        if column in row
    }


@cache
def _columns(model: type[BaseModel]) -> list[tuple[str, str]]:
    return [(name, re.sub(r"^(at)$|_at$", r"\1_us", name)) for name in model.model_fields]


def result_json(row: Row) -> dict[str, Any]:
    """A result, or in its place the beginning of its JSON and the bytes of all of it."""
    return {name: row.get(name) for name in ("result", "result_preview", "result_bytes")}


def event_json(row: Row) -> dict[str, Any]:
    """One entry of a task's history; `at` is the worker's own time, `recorded_at` the store's."""
    return row_json(EventOut, row)


def iso(us: int | None) -> str | None:
    """A time in microseconds since the epoch as ISO 8601; None for none."""
    return None if us is None else to_iso(us)


def _seconds(begin_us: int, end_us: int) -> float:
    """Seconds between two times, never below zero: two machines' clocks may differ a little."""
    return max(0, end_us - begin_us) / 1e6
