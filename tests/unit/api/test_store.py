from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.store import Added, KeyReused, NewTask, Query, Store
from lab.status import StatusUpdate, TaskStatus

TIMED = NewTask("celery", "process_task", {"timeout": 5.0}, 5.0)
START = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url)
    yield made
    made.close()


def update(task_id: str, status: str, seconds: float = 0.0, **fields: Any) -> StatusUpdate:
    at = START + timedelta(seconds=seconds)
    return StatusUpdate.model_validate({"task_id": task_id, "status": status, "at": at, **fields})


def statuses(store: Store, num: int) -> list[tuple[str, int]]:
    return [(event["status"], event["attempt"]) for event in store.history(num)]


def test_new_tasks_are_pending_and_numbered_in_a_row(store: Store) -> None:
    rows = store.add(TIMED, 3).rows
    assert [row["num"] for row in rows] == [1, 2, 3]
    assert {row["status"] for row in rows} == {"PENDING"}
    assert store.get(rows[1]["id"]) == rows[1]
    assert statuses(store, 2) == [("PENDING", 0)]


def test_a_task_goes_its_way_and_keeps_its_times(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    store.apply([update(task, "IN_PROGRESS", 1, worker="w", progress=0.0)])
    store.apply([update(task, "DONE", 6, worker="w", result={"a": [1, "ж"]})])
    row = store.get(task)
    assert row is not None
    assert (row["status"], row["worker"], row["result"]) == ("DONE", "w", {"a": [1, "ж"]})
    assert row["finished_us"] - row["started_us"] == 5_000_000
    assert row["progress"] == 1.0
    assert statuses(store, 1) == [("PENDING", 0), ("IN_PROGRESS", 1), ("DONE", 1)]


def test_an_update_that_comes_twice_or_late_changes_nothing(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    begin, done = update(task, "IN_PROGRESS", 1), update(task, "DONE", 2)
    answers = store.apply([done, begin, done, update(task, "FAILED", 3, error="late")])
    assert [answer.applied for answer in answers] == [True, False, False, False]
    assert {answer.status for answer in answers} == {TaskStatus.DONE}
    row = store.get(task)
    assert row is not None
    assert (row["status"], row["error"], row["started_us"]) == ("DONE", None, None)
    assert statuses(store, 1) == [("PENDING", 0), ("DONE", 1)]


def test_progress_moves_forward_only_and_makes_no_history(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    shares = [0.0, 0.5, 0.25, 0.5]
    answers = [store.apply([update(task, "IN_PROGRESS", progress=share)])[0].applied for share in shares]
    assert answers == [True, True, False, False]
    row = store.get(task)
    assert row is not None
    assert row["progress"] == 0.5
    assert len(store.history(1)) == 2


def test_a_second_attempt_begins_anew_and_the_first_is_history(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    store.apply([update(task, "IN_PROGRESS", 1, progress=0.0), update(task, "IN_PROGRESS", 2, progress=0.9)])
    store.apply([update(task, "IN_PROGRESS", 3, attempt=2, worker="second", progress=0.0)])
    row = store.get(task)
    assert row is not None
    assert (row["attempt"], row["progress"], row["worker"]) == (2, 0.0, "second")
    assert not store.apply([update(task, "DONE", 4, attempt=1)])[0].applied
    assert statuses(store, 1) == [("PENDING", 0), ("IN_PROGRESS", 1), ("IN_PROGRESS", 2)]


def test_an_unknown_task_is_said_so_and_hurts_no_other(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    answers = store.apply([update("nobody", "DONE"), update(task, "DONE")])
    assert [(answer.applied, answer.error) for answer in answers] == [(False, "unknown task"), (True, None)]


def test_counts_follow_every_change(store: Store) -> None:
    tasks = [row["id"] for row in store.add(TIMED, 3).rows]
    store.add(NewTask("sync", "process_task", {"timeout": 0.0}, 0.0), 2)
    store.apply([update(tasks[0], "IN_PROGRESS"), update(tasks[1], "DONE"), update(tasks[1], "DONE")])
    assert {k: v for k, v in store.counts().items() if v} == {"PENDING": 3, "IN_PROGRESS": 1, "DONE": 1}
    assert {k: v for k, v in store.counts("sync").items() if v} == {"PENDING": 2}


def test_writers_at_once_lose_nothing(store: Store) -> None:
    tasks = [row["id"] for row in store.add(TIMED, 40).rows]

    def work(task: str) -> None:
        store.apply([update(task, "IN_PROGRESS")])
        store.add(TIMED)
        store.apply([update(task, "DONE")])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, tasks))
    assert {k: v for k, v in store.counts().items() if v} == {"PENDING": 40, "DONE": 40}
    changes = [row["change_id"] for row in store.changed_since(0, 1000)]
    assert changes == sorted(set(changes))
    assert store.last_change() == changes[-1]


def test_pages_go_from_the_newest_back_without_gap_or_repeat(store: Store) -> None:
    store.add(TIMED, 25)
    seen: list[int] = []
    before = None
    while rows := store.page(Query(before_num=before, limit=10)):
        seen += [row["num"] for row in rows]
        before = seen[-1]
    assert seen == list(range(25, 0, -1))


def test_a_page_shows_what_fits_all_filters(store: Store) -> None:
    first, second = (row["id"] for row in store.add(TIMED, 2).rows)
    other = store.add(NewTask("rabbitmq", "process_task", {"timeout": 1.0}, 1.0)).rows[0]["id"]
    store.apply([update(first, "DONE"), update(other, "DONE")])

    def ids(**fields: Any) -> list[str]:
        return [row["id"] for row in store.page(Query(**fields))]

    assert ids(method="celery") == [second, first]
    assert ids(status=TaskStatus.DONE) == [other, first]
    assert ids(method="celery", status=TaskStatus.DONE) == [first]
    assert second in ids(text="2")
    assert ids(text=other) == [other]
    assert ids(text=other[:13].upper()) == [other]
    assert ids(text="%") == ids(text="_") == ids(text="'; --") == []


def test_the_same_key_gives_the_first_requests_tasks(store: Store) -> None:
    def once() -> Added:
        return store.add(TIMED, 2, key="k")

    with ThreadPoolExecutor(6) as pool:
        results = [future.result() for future in [pool.submit(once) for _ in range(6)]]
    assert sum(result.anew for result in results) == 1
    assert len({tuple(row["id"] for row in result.rows) for result in results}) == 1
    assert store.counts()["PENDING"] == 2


def test_the_same_key_for_another_request_is_refused_and_stores_nothing(store: Store) -> None:
    store.add(TIMED, key="k")
    with pytest.raises(KeyReused):
        store.add(TIMED, 2, key="k")
    assert store.counts()["PENDING"] == 1


def test_changes_since_a_moment_show_each_task_once_as_it_stands(store: Store) -> None:
    first, second = (row["id"] for row in store.add(TIMED, 2).rows)
    seen = store.last_change()
    store.apply([update(second, "IN_PROGRESS")])
    store.apply([update(first, "IN_PROGRESS")])
    store.apply([update(second, "DONE")])
    assert [(row["id"], row["status"]) for row in store.changed_since(seen, 10)] == [
        (first, "IN_PROGRESS"),
        (second, "DONE"),
    ]


def asks(task: str, run: str, attempt: int = 1, *, first: bool = True) -> StatusUpdate:
    return update(task, "IN_PROGRESS", progress=0.0, run=run, attempt=attempt, first=first)


def test_a_copy_of_a_message_that_is_worked_on_is_told_to_skip(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    assert [answer.run for answer in store.apply([asks(task, "a"), asks(task, "b")])] == [True, False]


def test_whoever_asks_again_about_its_own_run_goes_on(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    assert [answer.run for answer in store.apply([asks(task, "a"), asks(task, "a")])] == [True, True]


def test_a_message_that_was_delivered_before_is_never_called_a_copy(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    store.apply([asks(task, "a")])
    assert store.apply([asks(task, "b", first=False)])[0].run
    assert store.apply([asks(task, "c", 2, first=False)])[0].run


def test_a_retry_is_no_copy_and_its_own_copy_is(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    store.apply([asks(task, "a"), update(task, "RETRYING", error="once")])
    assert not store.apply([asks(task, "copy of the first")])[0].run
    assert store.apply([asks(task, "b", 2)])[0].run
    assert not store.apply([asks(task, "copy of the second", 2)])[0].run
