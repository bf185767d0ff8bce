"""A task and its updates, as tests of the store make them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from lab.status import StatusUpdate
from store.tasks import NewTask, Store

TIMED = NewTask("celery", "process_task", {"timeout": 5.0}, 5.0)
START = datetime(2026, 1, 31, 12, tzinfo=UTC)


def update(task_id: str, status: str, seconds: float = 0.0, **fields: Any) -> StatusUpdate:
    """What a worker reports `seconds` after START."""
    at = START + timedelta(seconds=seconds)
    return StatusUpdate.model_validate({"task_id": task_id, "status": status, "at": at, **fields})


def statuses(store: Store, num: int) -> list[tuple[str, int]]:
    """A task's history: statuses with their attempts."""
    return [(event["status"], event["attempt"]) for event in store.history(num)]
