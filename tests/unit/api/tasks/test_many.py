"""Many tasks at once: as files, and acts on all that a filter fits."""

import csv
import io
import threading
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.services import Services
from api.tasks import bulk
from lab.status import StatusUpdate, TaskStatus


def send(client: FlaskClient, count: int, kind: str = "process_task", **more: Any) -> list[dict[str, Any]]:
    body = {"method": "celery", "kind": kind, "timeout": 1, "count": count, **more}
    tasks: list[dict[str, Any]] = client.post("/api/tasks", json=body).json["tasks"]
    return tasks


def fail(parts: Services, tasks: list[dict[str, Any]], error: str = "ValueError: =1+1") -> None:
    parts.store.fail({task["id"]: 1 for task in tasks}, error)


def act(client: FlaskClient, name: str, **filters: Any) -> dict[str, int]:
    answer = client.post("/api/tasks/bulk", json={"act": name, **filters})
    assert answer.status_code == 202, answer.json
    told: dict[str, int] = answer.json
    return told


def test_the_list_takes_every_filter_and_order(client: FlaskClient, parts: Services) -> None:
    send(client, 2)
    (flaky,) = send(client, 1, "flaky_task", times=3)
    fail(parts, [flaky])

    def listed(query: str) -> list[int]:
        return [task["num"] for task in client.get(f"/api/tasks?{query}").json["tasks"]]

    assert listed("kind=flaky_task&error=valueerror") == [3]
    assert listed("until=2020-01-01T00:00:00Z") == []
    assert listed("since=2020-01-01T00:00:00%2B01:00&sort=num&limit=2") == [1, 2]
    assert listed("sort=kind") == [3, 2, 1]
    first = client.get("/api/tasks?sort=-kind&limit=2").json
    assert first["next"] == "2"
    assert listed("sort=-kind&limit=2&cursor=2") == [3]
    assert client.get("/api/tasks?sort=num&limit=2").json["next"] == "2"
    for wrong in ("sort=x", "since=yesterday", "since=2026-01-01T00:00:00", "error=" + "x" * 201):
        assert client.get(f"/api/tasks?{wrong}").status_code == 422, wrong


def test_all_that_fits_comes_as_csv_and_as_json_however_many_there_are(
    client: FlaskClient, parts: Services
) -> None:
    failed = send(client, 1200)
    fail(parts, failed)
    send(client, 3)
    answer = client.get("/api/tasks.csv?status=FAILED")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="tasks.csv"'
    assert answer.content_type == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [int(row["num"]) for row in rows] == list(range(1200, 0, -1))
    assert (rows[0]["error"], rows[0]["worker"], rows[0]["timeout"]) == ("ValueError: =1+1", "", "1.0")
    told = client.get("/api/tasks.json").json["tasks"]
    assert [task["num"] for task in told] == list(range(1203, 0, -1))
    found = client.get("/api/tasks.json?q=7").json["tasks"]
    ids = {task["id"] for task in told if task["id"].startswith("7")}
    assert {task["id"] for task in found[1:]} == ids - {found[0]["id"]}
    assert found[0]["num"] == 7
    assert client.get("/api/tasks.json?q=nothing").json == {"tasks": []}
    assert client.get("/api/tasks.csv?status=DONE").text.count("\n") == 1


def test_all_that_fits_is_sent_again_once(client: FlaskClient, parts: Services) -> None:
    fail(parts, send(client, 700, "flaky_task", times=3))
    fail(parts, send(client, 2))
    assert act(client, "retry", kind="flaky_task", error="value") == {
        "matched": 700,
        "done": 700,
        "refused": 0,
    }
    assert parts.store.counts()["PENDING"] == 700
    assert act(client, "retry", status="FAILED") == {"matched": 702, "done": 2, "refused": 700}


def test_what_is_cancelled_is_told_apart_from_what_ended_before(client: FlaskClient, parts: Services) -> None:
    fail(parts, send(client, 2))
    waiting, running = send(client, 2)
    update = StatusUpdate(task_id=running["id"], status=TaskStatus.IN_PROGRESS, worker="w")
    parts.store.apply([update])
    assert act(client, "cancel") == {"matched": 4, "done": 2, "refused": 2}
    assert client.get(f"/api/tasks/{waiting['id']}").json["status"] == "CANCELLED"
    assert client.get(f"/api/tasks/{running['id']}").json["cancel_requested_at"]


def test_nothing_is_cancelled_that_was_done_at_the_same_time(client: FlaskClient, parts: Services) -> None:
    tasks = send(client, 300)
    updates = [StatusUpdate(task_id=task["id"], status=TaskStatus.DONE, worker="w") for task in tasks]
    going = threading.Event()

    def finish() -> None:
        for start in range(0, 300, 10):
            parts.store.apply(updates[start : start + 10])
            going.set()

    worker = threading.Thread(target=finish)
    worker.start()
    going.wait(10)
    told = act(client, "cancel")
    worker.join()
    counts = parts.store.counts()
    assert told["matched"] == 300 == counts["DONE"] + counts["CANCELLED"]
    assert told["done"] == counts["CANCELLED"]
    assert told["refused"] == counts["DONE"]


def test_deleting_leaves_what_has_not_ended(client: FlaskClient, parts: Services) -> None:
    fail(parts, send(client, 3))
    send(client, 2)
    assert act(client, "delete", through=4) == {"matched": 4, "done": 3, "refused": 1}
    assert sum(parts.store.counts().values()) == 2


def test_an_act_takes_no_more_than_its_bound_and_no_tasks_of_experiments(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(client, 3)
    monkeypatch.setattr(bulk, "MOST", 2)
    answer = client.post("/api/tasks/bulk", json={"act": "cancel"})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["bound"] == 2
    body = {"act": "delete", "experiment": "0" * 36}
    assert client.post("/api/tasks/bulk", json=body).json["errors"][0]["field"] == "experiment"
    assert client.post("/api/tasks/bulk", json={"act": "eat"}).json["errors"][0]["field"] == "act"
