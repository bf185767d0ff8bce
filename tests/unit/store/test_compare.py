from collections.abc import Iterator
from typing import Any

import pytest

from lab.clock import to_us
from store import compare as compared
from store.compare import compare
from store.tasks import NewTask, Query, Row, Store
from tests.tasks import START, update

BEGIN = to_us(START)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url)
    yield made
    made.close()


@pytest.fixture
def created(store: Store, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stores tasks that were created so many seconds after START."""

    def add(new: NewTask, count: int = 1, seconds: float = 0.0) -> list[Row]:
        monkeypatch.setattr("store.tasks.now_us", lambda: BEGIN + round(seconds * 1e6))
        return store.add(new, count).rows

    return add


def timed(method: str = "celery", seconds: float = 2.0, **fields: Any) -> NewTask:
    return NewTask(method, "process_task", {"timeout": seconds}, seconds, **fields)


def finish(store: Store, row: Row, begin: float | None, end: float, status: str = "DONE") -> None:
    if begin is not None:
        store.apply([update(row["id"], "IN_PROGRESS", begin)])
    store.apply([update(row["id"], status, end, attempt=1)])


def test_spans_are_counted_from_when_a_task_was_due_and_by_the_nearest_rank(
    store: Store, created: Any
) -> None:
    for i, row in enumerate(created(timed(), 100), 1):
        finish(store, row, i / 100, i / 100 + 2 + i / 1000)
    found = compare(store, Query(), "celery")
    assert (found["count"], found["done"], found["failed"], found["retried"]) == (100, 100, 0, 0)
    assert found["waited"] == {"p50": 0.5, "p99": 0.99}
    assert found["ran"] == {"p50": 2.05, "p99": 2.099}
    assert found["overhead"] == {"p50": 0.05, "p99": 0.099}
    assert found["total"] == {"p50": 2.55, "p99": 3.089}
    assert compare(store, Query(), "sync")["ran"] == {"p50": None, "p99": None}


def test_a_time_set_for_the_begin_is_no_waiting(store: Store, created: Any) -> None:
    (row,) = created(timed(options={"countdown": 60.0}))
    finish(store, row, 60.25, 62.25)
    found = compare(store, Query(), "celery")
    assert found["waited"]["p50"] == 0.25
    assert found["total"]["p50"] == 2.25


def test_what_is_not_known_is_left_out(store: Store, created: Any) -> None:
    lost, failed, other, waiting = (
        created(timed())[0],
        created(timed())[0],
        created(NewTask("celery", "process_data", {"numbers": [1.0]}))[0],
        created(timed())[0],
    )
    finish(store, lost, None, 9.0)  # the report of its begin never came
    finish(store, failed, 1.0, 2.0, "FAILED")
    finish(store, other, 1.0, 4.0)
    store.apply([update(waiting["id"], "IN_PROGRESS", 1.0, attempt=2)])
    found = compare(store, Query(), "celery")
    assert (found["count"], found["done"], found["failed"], found["retried"]) == (4, 2, 1, 1)
    assert found["waited"] == {"p50": 1.0, "p99": 1.0}
    assert found["overhead"] == {"p50": None, "p99": None}
    assert found["total"]["p99"] == 9.0


def test_filters_and_the_time_since_which_to_compare_are_obeyed(store: Store, created: Any) -> None:
    early = created(timed(), 2)
    late = created(timed(), 3, seconds=100)
    finish(store, early[0], 0.0, 2.0)
    assert compare(store, Query(since_us=BEGIN + 1), "celery")["count"] == 3
    assert compare(store, Query(since_us=late[0]["created_us"]), "celery")["count"] == 3
    assert compare(store, Query(text=late[0]["id"]), "celery")["count"] == 1
    assert compare(store, Query(method="celery"), "rabbitmq")["count"] == 0
    created(timed("rabbitmq"))
    assert compare(store, Query(method="celery"), "rabbitmq")["count"] == 0
    assert compare(store, Query(), "rabbitmq")["count"] == 1


def test_only_the_newest_are_looked_at_and_that_is_told(
    store: Store, created: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compared, "NEWEST", 4)
    created(timed(), 5)
    created(timed(), 2, seconds=100)
    assert compare(store, Query(), "celery")["count"] == 4
    assert compare(store, Query(), "celery")["more"] is True
    since = compare(store, Query(since_us=BEGIN + 50_000_000), "celery")
    assert (since["count"], since["more"]) == (2, False)
