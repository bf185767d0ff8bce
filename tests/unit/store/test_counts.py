from lab.status import TaskStatus
from store.task_queries import count_statuses


def test_each_status_is_counted_and_those_that_do_not_occur_are_zero() -> None:
    counts = count_statuses(["DONE", "FAILED", "DONE"])
    assert list(counts) == [status.value for status in TaskStatus]
    assert {status: n for status, n in counts.items() if n} == {"DONE": 2, "FAILED": 1}
