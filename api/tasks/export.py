"""All tasks that fit a filter, as a file: read page by page, written as they are read."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from flask import json

from api.web.present import task_json
from experiments.table_csv import csv_lines, defused
from store.tasks import Query, Store

AT_ONCE: Final = 1_000
HEAD: Final = (
    "num", "id", "method", "kind", "delivery", "status", "attempt", "timeout", "worker", "error", "created_at",
    "published_at", "started_at", "finished_at", "waited", "ran", "total", "retry_of", "group_id", "workflow_id",
    "node",
)  # fmt: skip


def to_csv(store: Store, query: Query) -> Iterator[str]:
    """The tasks, newest first, one in a line; what did not happen is empty."""
    yield csv_lines([HEAD])
    for page in _pages(store, query):
        yield csv_lines([[_cell(task[name]) for name in HEAD] for task in page])


def to_json(store: Store, query: Query) -> Iterator[str]:
    """The same as JSON, each task in a line of its own."""
    between = '{"tasks": [\n'
    for page in _pages(store, query):
        yield between + ",\n".join(map(json.dumps, page))
        between = ",\n"
    yield "\n]}\n" if between == ",\n" else between + "]}\n"


def _pages(store: Store, query: Query) -> Iterator[list[dict[str, Any]]]:
    asked = replace(query, limit=AT_ONCE)
    while rows := store.page(asked):
        yield [task_json(row) for row in rows]
        asked = replace(asked, before_num=rows[-1]["num"])


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return defused(value) if isinstance(value, str) else value
