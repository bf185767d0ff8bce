"""Which tasks a page shows, in which order, and what is done to all of them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from lab.clock import now_us
from lab.status import StatusUpdate, TaskStatus
from store.bulk import BulkRows
from store.tables import tasks
from store.tasks import NewGroup, NewTask, NewWorkflow, Query, Store
from transports.methods import CELERY, RABBITMQ, SYNC

TIMED = NewTask(CELERY.name, "process_task", {"timeout": 5.0}, 5.0)
FLAKY = NewTask(RABBITMQ.name, "flaky_task", {"timeout": 0.0, "times": 9}, 0.0)
CHECK = NewTask(CELERY.name, "health_check", {})
BROKERED = (CELERY.name, RABBITMQ.name)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url)
    yield made
    made.close()


def end(
    store: Store, row: dict[str, Any], status: str, error: str | None = None, worker: str = "w@a"
) -> None:
    update = StatusUpdate(task_id=row["id"], status=TaskStatus(status), error=error, worker=worker)
    assert store.apply([update])[0].applied


def nums(store: Store, **fields: Any) -> list[int]:
    return [row["num"] for row in store.page(Query(**fields))]


def test_tasks_are_found_by_kind_worker_and_what_their_error_contains(store: Store) -> None:
    timed, flaky, other, check = (store.add(new).rows[0] for new in (TIMED, FLAKY, FLAKY, CHECK))
    end(store, timed, "FAILED", "ValueError: 100% Wrong", "celery@b")
    end(store, flaky, "FAILED", "TemporaryError: no luck")
    assert nums(store, kind="flaky_task") == [other["num"], flaky["num"]]
    assert nums(store, worker="celery@b") == [timed["num"]]
    assert nums(store, error="wrong") == nums(store, error="100%") == [timed["num"]]
    assert nums(store, error="_") == []
    assert nums(store, kind="flaky_task", error="LUCK", status=TaskStatus.FAILED) == [flaky["num"]]
    assert nums(store, kind="flaky_task", error="luck", method=CELERY.name) == []
    assert nums(store, checks=False) == [other["num"], flaky["num"], timed["num"]]
    assert nums(store, checks=False, kind="health_check") == [check["num"]]
    assert store.matching(Query(error="error", sort="num"), 10) == [flaky["num"], timed["num"]]


def test_the_schedules_checks_are_counted_or_not(store: Store) -> None:
    store.add(TIMED)
    end(store, store.add(CHECK).rows[0], "DONE")
    assert {k: n for k, n in store.counts(checks=False).items() if n} == {"PENDING": 1}
    assert {k: n for k, n in store.counts().items() if n} == {"PENDING": 1, "DONE": 1}
    assert {k: n for k, n in store.counts(RABBITMQ.name, checks=False).items() if n} == {}


def test_tasks_are_found_by_the_time_at_which_they_were_sent(store: Store) -> None:
    day = 86_400_000_000
    begin = now_us() - 40 * day
    store.add(TIMED, 40)
    with store.engine.begin() as connection:
        connection.execute(tasks.update().values(created_us=begin + tasks.c.num * day))
    since, until = begin + 10 * day, begin + 13 * day
    assert nums(store, since_us=since, until_us=until) == [12, 11, 10]
    assert nums(store, since_us=since, until_us=until, sort="num") == [10, 11, 12]
    assert nums(store, until_us=begin + 3 * day + 1) == [3, 2, 1]
    assert nums(store, since_us=begin + 41 * day) == nums(store, until_us=begin) == []


def test_tasks_come_in_the_order_that_was_asked_for(store: Store) -> None:
    rows = store.add(TIMED, 4).rows
    with store.engine.begin() as connection:
        for row, waited, ran in zip(rows, (5, 1, 3, None), (1, 2, None, None), strict=True):
            started = None if waited is None else row["created_us"] + waited
            finished = None if ran is None else (started or 0) + ran
            values = {"started_us": started, "finished_us": finished}
            connection.execute(tasks.update().where(tasks.c.num == row["num"]).values(values))
    assert nums(store, sort="-num") == nums(store) == [4, 3, 2, 1]
    assert nums(store, sort="num", limit=2) == [1, 2]
    assert nums(store, sort="num", before_num=2) == [3, 4]
    assert nums(store, sort="waited")[:3] == [2, 3, 1]
    assert nums(store, sort="ran")[:2] == [1, 2]
    assert nums(store, sort="-ran") == [3, 2, 1, 4]  # the one that still runs, by now for longest
    assert nums(store, sort="-ran", limit=2, offset=2) == [1, 4]
    assert nums(store, sort="worker") == [4, 3, 2, 1]


def test_a_number_that_is_looked_for_comes_before_ids_that_begin_with_it(store: Store) -> None:
    store.add(TIMED, 30)
    with store.engine.begin() as connection:
        ids = sa.literal("1-") + sa.cast(tasks.c.num, sa.String)
        connection.execute(tasks.update().values(id=ids))
    assert nums(store, text="1", limit=3) == [1, 30, 29]
    assert nums(store, text="1", limit=3, before_num=29) == [28, 27, 26]
    assert nums(store, text="1", limit=50, before_num=4) == [3, 2]
    assert nums(store, text="7", limit=1, sort="-total") == [7]
    assert nums(store, text="1", limit=2, offset=1, sort="kind") == [30, 29]


def test_many_are_sent_again_once_each_with_what_follows_them(store: Store) -> None:
    failed = store.add(TIMED, 3).rows + store.add(FLAKY, 2).rows
    for row in failed:
        end(store, row, "FAILED", "x")
    running, step = store.add(TIMED).rows[0], workflow_step(store)
    in_request = store.add(replace(TIMED, method=SYNC.name)).rows[0]
    end(store, in_request, "FAILED", "x")
    asked = [row["num"] for row in [*failed, running, step, in_request]]
    made = BulkRows(store).retry(asked, BROKERED, "relay")
    assert {row["retry_of"] for row in made} == {row["id"] for row in failed}
    assert {row["status"] for row in made} == {"PENDING"}
    assert BulkRows(store).retry(asked, BROKERED, "relay") == []
    assert store.under_key(f"retry:{failed[0]['id']}")[0]["retry_of"] == failed[0]["id"]
    assert store.counts(RABBITMQ.name)["PENDING"] == 2


def test_only_what_has_ended_for_good_is_deleted(store: Store) -> None:
    done, failed, running, unsent, sent = store.add(TIMED, 5, relay="").rows
    end(store, done, "DONE")
    end(store, failed, "FAILED", "x")
    end(store, running, "IN_PROGRESS")
    with store.engine.begin() as connection:
        connection.execute(tasks.update().where(tasks.c.num == sent["num"]).values(published_us=1))
    store.request_cancel([unsent["id"], sent["id"]])
    (grouped,) = store.add(TIMED, group=NewGroup("g")).rows
    end(store, grouped, "DONE")
    asked = [row["num"] for row in (done, failed, running, unsent, sent, grouped, workflow_step(store))]
    assert BulkRows(store).delete(asked) == 3
    assert nums(store)[1:] == [grouped["num"], sent["num"], running["num"]]
    assert {k: n for k, n in store.counts().items() if n} == {
        "DONE": 1, "FAILED": 1, "IN_PROGRESS": 1, "CANCELLED": 1,
    }  # fmt: skip
    assert store.history(done["num"]) == []


def workflow_step(store: Store) -> dict[str, Any]:
    """A step of a workflow, which FAILED."""
    workflow = NewWorkflow("w", "chain", {}, {}, 0)
    (row,) = store.add(replace(TIMED, node="a"), workflow=workflow).rows
    end(store, row, "FAILED", "x")
    return row
