"""A task as the outside sees it: names, ISO times, durations in seconds."""

import logging
from typing import Any, Final

from lab.clock import now_us, to_iso
from store.letters import unknown_task
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
        "id": row["id"],
        "num": row["num"],
        "method": row["method"],
        "kind": row["kind"],
        "delivery": row["delivery"],
        "timeout": row["timeout"],
        "status": row["status"],
        "attempt": row["attempt"],
        "progress": row["progress"],
        "worker": row["worker"],
        "error": row["error"],
        **result_json(row),
        "retry_of": row["retry_of"],
        "group_id": row["group_id"],
        "workflow_id": row["workflow_id"],
        "node": row["node"],
        "options": options_json(row["options"]),
        "cancel_requested_at": _iso(row["cancel_us"]),
        "created_at": to_iso(created),
        "published_at": _iso(row["published_us"]),
        "started_at": _iso(started),
        "finished_at": _iso(finished),
        "waited": _seconds(created, started or now),
        "ran": None if started is None else _seconds(started, now),
        "total": _seconds(created, now),
    }


def result_json(row: Row) -> dict[str, Any]:
    """A result, or in its place the beginning of its JSON and the bytes of all of it."""
    return {name: row.get(name) for name in ("result", "result_preview", "result_bytes")}


def event_json(row: Row) -> dict[str, Any]:
    """One entry of a task's history; `at` is the worker's own time, `recorded_at` the store's."""
    return {
        "status": row["status"],
        "attempt": row["attempt"],
        "worker": row["worker"],
        "error": row["error"],
        "at": to_iso(row["at_us"]),
        "recorded_at": to_iso(row["recorded_us"]),
    }


def letter_json(row: Row) -> dict[str, Any]:
    """A dead letter; its body as text where it is UTF-8, as hexadecimal digits where it is not."""
    try:
        text, digits = row["body"].decode(), None
    except UnicodeDecodeError:
        text, digits = None, row["body"].hex()
    return {
        "id": row["id"],
        "queue": row["queue"],
        "reason": row["reason"],
        "unknown_task": unknown_task(row["reason"], row["properties"]),
        "task_id": row["task_id"],
        "task_known": row["task_known"],
        "body": text,
        "body_hex": digits,
        "properties": row["properties"] if isinstance(row["properties"], dict) else {},
        "at": to_iso(row["at_us"]),
    }


def _iso(us: int | None) -> str | None:
    return None if us is None else to_iso(us)


def _seconds(begin_us: int, end_us: int) -> float:
    """Seconds between two times, never below zero: two machines' clocks may differ a little."""
    return max(0, end_us - begin_us) / 1e6
