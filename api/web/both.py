"""The same work by both methods that have a broker: two sets of tasks side by side, and a sentence when both ended."""

from collections.abc import Callable
from typing import Any, Final

from api.web.i18n import exact
from api.web.wording import LABELS, gettext
from lab.status import TaskStatus
from store.task_queries import Row, TaskSets

FIELD: Final = "both"
"""The button of a form that sends by both, and in the address of its page the ids of what was sent, with a comma
between them."""


def shown(ids: str, rows: TaskSets, address: Callable[[str], str]) -> dict[str, Any] | None:
    """What the template of the two takes; None where `ids` do not name sets in `rows`. `address` leads to one."""
    found = [row for one in ids.split(",")[:2] if (row := rows.get(one.strip()[:64])) is not None]
    if len(found) != 2:
        return None
    lanes = [_lane(row, rows.tasks(row["id"]), address(row["id"])) for row in found]
    return {"lanes": lanes, "ended": all(lane["ended"] for lane in lanes), "sentence": _sentence(lanes)}


def _lane(row: Row, tasks: list[Row], address: str) -> dict[str, Any]:
    statuses = [TaskStatus(task["status"]) for task in tasks]
    ended = all(status.final for status in statuses) and TaskStatus(row.get("status", "DONE")).final
    ends = [task["finished_us"] or task["created_us"] for task in tasks]
    return {
        "method": row["method"],
        "label": LABELS[row["method"]],
        "address": address,
        "count": len(tasks),
        "done": sum(status.final for status in statuses),
        "wrong": sum(status.final and status is not TaskStatus.DONE for status in statuses),
        "ended": ended,
        "seconds": max(0, max(ends, default=0) - row["created_us"]) / 1e6 if ended else None,
    }


def _sentence(lanes: list[dict[str, Any]]) -> str:
    """How the two compare; nothing before both have ended."""
    if not all(lane["ended"] for lane in lanes):
        return ""
    first, second = sorted(lanes, key=lambda lane: float(lane["seconds"]))
    said = [
        gettext("%(method)s after %(time)s", method=first["label"], time=exact(first["seconds"])),
        gettext(
            "%(method)s after %(time)s (%(more)s more)",
            method=second["label"],
            time=exact(second["seconds"]),
            more=exact(second["seconds"] - first["seconds"]),
        ),
    ]
    whole = gettext("Both done: %(list)s.", list=", ".join(said))
    wrong = [
        gettext(
            "%(method)s: %(k)s of %(n)s did not end DONE.",
            method=lane["label"],
            k=lane["wrong"],
            n=lane["count"],
        )
        for lane in lanes
        if lane["wrong"]
    ]
    return " ".join([whole, *wrong])
