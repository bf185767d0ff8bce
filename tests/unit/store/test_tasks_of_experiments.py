"""Tasks of experiments are tasks like all others, but in nobody's way."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from api.services import Services
from lab.clock import now_us
from lab.status import StatusUpdate, TaskStatus
from store.reports import figures
from store.schedule import Cleanup
from store.tasks import NewTask, Query, Store

TIMED = NewTask("celery", "process_task", {"timeout": 5.0}, 5.0)
EXPERIMENT = str(uuid4())


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url)
    yield made
    made.close()


def test_they_are_in_no_list_and_no_count(store: Store) -> None:
    own = store.add(TIMED).rows[0]
    theirs = store.add(TIMED, 30, experiment_id=EXPERIMENT).rows
    store.apply([StatusUpdate(task_id=theirs[0]["id"], status=TaskStatus.DONE)])
    pages = [Query(), Query(method="celery"), Query(status=TaskStatus.PENDING), Query(text=str(own["num"]))]
    assert [[row["num"] for row in store.page(query)] for query in pages] == [[own["num"]]] * 4
    assert store.page(Query(status=TaskStatus.DONE)) == []
    assert {k: n for k, n in store.counts().items() if n} == {"PENDING": 1}
    assert store.counts_by_method() == {("celery", "PENDING"): 1}


def test_they_are_listed_and_counted_for_whoever_asks_for_their_experiment(store: Store) -> None:
    store.add(TIMED)
    theirs = store.add(TIMED, 3, experiment_id=EXPERIMENT).rows
    store.add(TIMED, experiment_id=str(uuid4()))
    store.apply([StatusUpdate(task_id=theirs[0]["id"], status=TaskStatus.DONE)])
    listed = store.page(Query(experiment=EXPERIMENT))
    assert [row["id"] for row in listed] == [row["id"] for row in reversed(theirs)]
    assert [row["id"] for row in store.page(Query(experiment=EXPERIMENT, status=TaskStatus.DONE))] == [
        theirs[0]["id"]
    ]
    assert {k: n for k, n in store.counts(experiment=EXPERIMENT).items() if n} == {"PENDING": 2, "DONE": 1}


def test_the_json_api_lists_them_only_when_asked(client: FlaskClient, parts: Services) -> None:
    own = parts.store.add(TIMED).rows[0]["id"]
    theirs = parts.store.add(TIMED, experiment_id=EXPERIMENT).rows[0]["id"]

    def ids(query: str) -> list[str]:
        return [task["id"] for task in client.get(f"/api/tasks{query}").json["tasks"]]

    assert ids("") == [own]
    assert ids(f"?experiment={EXPERIMENT}") == [theirs]
    assert client.get(f"/api/tasks/{theirs}").json["id"] == theirs
    assert client.get(f"/tasks/{theirs}").status_code == 200
    assert client.get("/api/tasks?experiment=%00").status_code == 422


def test_the_stream_of_changes_leaves_them_out(store: Store) -> None:
    own = store.add(TIMED).rows[0]["id"]
    seen = store.last_change()
    theirs = store.add(TIMED, 600, experiment_id=EXPERIMENT).rows
    store.apply([StatusUpdate(task_id=row["id"], status=TaskStatus.IN_PROGRESS) for row in theirs])
    store.apply([StatusUpdate(task_id=own, status=TaskStatus.IN_PROGRESS)])
    assert [row["id"] for row in store.changed_since(seen, 10)] == [own]


def test_the_report_leaves_them_out(store: Store) -> None:
    begun = now_us()
    ids = [store.add(TIMED, experiment_id=name).rows[0]["id"] for name in (EXPERIMENT, None)]
    store.apply([StatusUpdate(task_id=one, status=TaskStatus.DONE) for one in ids])
    assert figures(store.engine, begun, now_us() + 1)["all"]["ended"] == 1


def test_cleaning_up_removes_them_and_keeps_the_counts_right(store: Store) -> None:
    theirs = store.add(TIMED, 3, experiment_id=EXPERIMENT).rows
    own = store.add(TIMED).rows[0]
    store.apply([StatusUpdate(task_id=row["id"], status=TaskStatus.DONE) for row in [*theirs, own]])
    removed, _ = Cleanup(store.engine).step(now_us() + 1)
    assert removed["tasks"] == 4
    assert not any(store.counts().values())
