"""A task as the outside sees it: the models that describe it, and the JSON that follows from them."""

import logging
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field

from lab.clock import now_us, to_iso
from lab.status import TaskStatus
from store.options import options_json
from store.spans import spans_of
from store.tasks import Row

ABOUT_CHARS: Final = 60
_READABLE: Final = ("num", "id", "method", "kind", "delivery", "status")

logger = logging.getLogger(__name__)


class EventOut(BaseModel):
    """A status change. `at` is the worker's own time, `recorded_at` when the API stored it."""

    status: TaskStatus
    attempt: int
    worker: str | None
    error: str | None
    at: str
    recorded_at: str


class ResultOut(BaseModel):
    """A result. In lists and events a long one is left out: `result` is null there."""

    result: Any
    result_preview: Annotated[
        str | None, Field(description="the first 500 characters of its JSON, where it is left out")
    ]
    result_bytes: Annotated[int | None, Field(description="the size of its JSON, where it is left out")]


class TaskOut(ResultOut):
    """A task. Times are ISO 8601 in UTC with microseconds; `waited`, `ran` and `total` are seconds."""

    id: str
    num: int
    method: str
    kind: str
    delivery: str
    timeout: float | None
    about: Annotated[str, Field(description="its other parameters, in a few characters")]
    status: TaskStatus
    attempt: int
    progress: float
    worker: str | None
    error: str | None
    retry_of: str | None
    group_id: str | None
    workflow_id: str | None
    node: Annotated[str | None, Field(description="its name in the workflow")]
    options: dict[str, Any] | None
    cancel_requested_at: str | None
    created_at: str
    published_at: str | None
    started_at: str | None
    finished_at: str | None
    waited: Annotated[
        float | None, Field(description="from when it was due to its begin; null where that is not known")
    ]
    ran: float | None
    total: Annotated[
        float | None, Field(description="from when it was due to its end; null before it is due")
    ]


class TaskWithHistory(TaskOut):
    """A task with all its status changes, oldest first."""

    events: list[EventOut]


class OneTaskOut(BaseModel):
    """A task."""

    task: TaskOut


class TasksOut(BaseModel):
    """The tasks just submitted."""

    tasks: list[TaskOut]


class TaskPage(BaseModel):
    """Tasks, newest first; `next` is the cursor of the page of older ones; `counts` are all tasks of
    the method asked for, by status. Tasks of experiments are in it only where one is asked for."""

    tasks: list[TaskOut]
    next: str | None
    counts: dict[str, int]


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

    `waited`, `ran` and `total` are seconds, counted from when the task was due, None where that is not known, as of a
    task whose begin was never told, or not yet; while a task is under way they are what has passed until now.
    """
    spans = spans_of(row, now_us())
    return {
        **row_json(TaskOut, row),
        **result_json(row),
        "about": about(row["params"]),
        "options": options_json(row["options"]),
        "cancel_requested_at": iso(row["cancel_us"]),
        **{name: us if us is None else us / 1e6 for name, us in spans._asdict().items()},
    }


def about(params: Any) -> str:
    """What a job is given beside the seconds that it takes, in a few characters: values as they are, of what holds
    many how many."""
    if not isinstance(params, dict):
        return ""
    told = (
        f"{name}={_brief(value)}" for name, value in params.items() if name != "timeout" and value is not None
    )
    text = ", ".join(islice(told, 5))
    return text if len(text) <= ABOUT_CHARS else text[: ABOUT_CHARS - 1] + "…"


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        return str(value["name"]) if isinstance(value.get("name"), str) else f"{{{len(value)}}}"
    return f"[{len(value)}]" if isinstance(value, list) else str(value)[:ABOUT_CHARS]


def row_json(model: type[BaseModel], row: Row) -> dict[str, Any]:
    """What `row` holds of the fields of `model`: each column under its name, a time `…_us` as `…` or `…_at` in
    ISO 8601."""
    plain, times = _columns(model, tuple(row))
    return {name: row[name] for name in plain} | {name: iso(row[time]) for name, time in times}


@lru_cache
def _columns(model: type[BaseModel], columns: tuple[str, ...]) -> tuple[list[str], list[tuple[str, str]]]:
    """The fields that are columns, and those that are times, each with its column; a model's own before those that
    it takes from others, so that an answer begins with what names it."""
    fields = sorted(model.model_fields, key=lambda name: name not in model.__annotations__)
    times = [(name, f"{name.removesuffix('_at')}_us") for name in fields if name not in columns]
    plain = [name for name in fields if name in columns]
    return plain, [(name, time) for name, time in times if time in columns]


def result_json(row: Row) -> dict[str, Any]:
    """A result, or in its place the beginning of its JSON and the bytes of all of it."""
    return {name: row.get(name) for name in ("result", "result_preview", "result_bytes")}


def event_json(row: Row) -> dict[str, Any]:
    """One entry of a task's history; `at` is the worker's own time, `recorded_at` the store's."""
    return row_json(EventOut, row)


def iso(us: int | None) -> str | None:
    """A time in microseconds since the epoch as ISO 8601; None for none."""
    return None if us is None else to_iso(us)
