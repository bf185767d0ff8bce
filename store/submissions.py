"""What the store is asked to add, and what it answers."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lab.status import TaskStatus
from store.progress import NewTask
from store.task_queries import Row


class KeyReused(Exception):
    """An Idempotency-Key came again with another request."""


@dataclass(frozen=True)
class NewGroup:
    """A group as it is asked for; `operation` is what is done to its images."""

    id: str
    operation: dict[str, Any] | None = None


@dataclass(frozen=True)
class NewWorkflow:
    """A workflow as it is asked for: `params` is the request, `plan` a `lab.plan.WorkflowPlan` as JSON holds it."""

    id: str
    pattern: str
    params: dict[str, Any]
    plan: dict[str, Any]
    deadline_us: int


@dataclass(frozen=True)
class Added:
    """Tasks that were stored: `anew` now, or earlier under the same Idempotency-Key."""

    rows: list[Row]
    anew: bool


@dataclass(frozen=True)
class Cancellation:
    """What a request to cancel came to: the task's row since, and its status `before`."""

    row: Row
    before: TaskStatus


def fingerprint_of(new: NewTask | Sequence[NewTask], count: int, group: NewGroup | None) -> str:
    """What tells this request from another under the same Idempotency-Key."""
    asked: list[Any] = [asdict(one) for one in ([new] if isinstance(new, NewTask) else new)] + [count]
    text = json.dumps([*asked, group and group.operation] if group else asked, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
