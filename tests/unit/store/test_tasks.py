from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lab.status import TaskStatus
from store.tasks import Added, KeyReused, NewTask, Query, Store
from tests.tasks import TIMED, statuses, update


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url)
    yield made
    made.close()


def test_new_tasks_are_pending_and_numbered_in_a_row(store: Store) -> None:
    rows = store.add(TIMED, 3).rows
    assert [row["num"] for row in rows] == [1, 2, 3]
    assert {row["status"] for row in rows} == {"PENDING"}
    assert store.get(rows[1]["id"]) == rows[1]
    assert statuses(store, 2) == [("PENDING", 0)]


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
