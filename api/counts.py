"""Counting tasks by their statuses, where they have been read already."""

from collections import Counter
from collections.abc import Iterable

from lab.status import TaskStatus


def count_statuses(statuses: Iterable[str]) -> dict[str, int]:
    """How many of `statuses` there are of each one, in the order of TaskStatus; 0 where there are none."""
    return {**dict.fromkeys(TaskStatus.__members__, 0), **Counter(statuses)}
