"""The methods side by side, as JSON and as a page; and the form that sends through all of them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.services import Services
from lab.status import StatusUpdate, TaskStatus
from store.tasks import Query
from transports.methods import METHODS

SPANS = ("waited", "ran", "overhead", "total")


def send(client: FlaskClient, method: str, count: int = 1, timeout: float = 0.01) -> None:
    body = {"method": method, "timeout": timeout, "count": count}
    assert client.post("/api/tasks", json=body).status_code in (201, 202)


def test_a_new_lab_has_every_method_with_nothing_known(client: FlaskClient) -> None:
    found = client.get("/api/compare").json["methods"]  # type: ignore[index]
    assert list(found) == list(METHODS)
    for one in found.values():
        assert (one["count"], one["failed"]) == (0, 0)
        assert all(one[span] == {"p50": None, "p99": None} for span in SPANS)


def test_the_filters_of_the_list_and_since_are_obeyed(client: FlaskClient) -> None:
    send(client, "sync", 3)
    send(client, "celery", 2)

    def counts(query: str) -> list[int]:
        answer: Any = client.get(f"/api/compare?{query}").json
        return [answer["methods"][name]["count"] for name in ("celery", "rabbitmq", "sync")]

    assert counts("") == [2, 0, 3]
    assert counts("method=sync") == [0, 0, 3]
    assert counts("status=DONE") == [0, 0, 3]
    assert counts("since=2100-01-01T00:00:00Z") == [0, 0, 0]
    assert counts("since=2020-01-01T00:00:00%2B00:00") == [2, 0, 3]
    answer: Any = client.get("/api/compare").json
    one = answer["methods"]["sync"]
    assert all(0 <= one[span]["p50"] <= one[span]["p99"] < 5 for span in SPANS)
    assert one["ran"]["p50"] >= 0.01
    for wrong in ("since=yesterday", "since=2020-01-01T00:00:00", "method=smoke", "extra=1"):
        assert client.get(f"/api/compare?{wrong}").status_code == 422


def test_without_scripts_the_comparison_is_a_page(client: FlaskClient) -> None:
    assert "No task in view. Press" in client.get("/compare").text
    send(client, "sync", 2)
    page = client.get("/compare?method=sync").text
    row = page[page.index('<tr role="row" data-method="sync"') :]
    assert re.search(r'data-figure="count" data-live>2<', row)
    for figure in ("waited-p50", "ran-p50", "overhead-p50", "total-p99"):
        assert re.search(rf'data-figure="{figure}" data-live>\d+\sms<', row)
    assert "No task since" in client.get("/compare?moment=2100-01-01T00:00:00Z").text
    assert client.get("/compare?moment=nonsense").status_code == 200


def test_one_form_sends_the_same_job_through_all(client: FlaskClient, parts: Services) -> None:
    form = {"timeout": "0,01", "count": "2", "key": "k" * 16}
    for _ in range(2):  # the same form again sends nothing again
        answer = client.post("/send-all", data=form, follow_redirects=True)
        assert "Sent through all: tasks #1 to #6." in answer.text
    rows = sorted(parts.store.page(Query()), key=lambda row: str(row["method"]))
    assert [(row["method"], row["timeout"]) for row in rows] == [
        (method, 0.01) for method in ("celery", "celery", "rabbitmq", "rabbitmq", "sync", "sync")
    ]


def test_a_script_sends_what_runs_in_the_request_itself(client: FlaskClient) -> None:
    form = {"timeout": "0", "count": "2"}
    answer: Any = client.post("/send-all", data=form, headers={"Accept": "application/json"})
    assert answer.status_code == 202
    assert [task["method"] for task in answer.json["tasks"]] == ["celery", "celery", "rabbitmq", "rabbitmq"]


def test_what_one_method_would_not_take_is_sent_through_none(client: FlaskClient, parts: Services) -> None:
    for form, field in (
        ({"timeout": "50", "count": "2"}, "timeout"),  # too long for the request
        ({"timeout": "1", "count": "101"}, "count"),
        ({"timeout": "soon", "count": "1"}, "timeout"),
        ({"timeout": "", "count": "1"}, "timeout"),
    ):
        answer: Any = client.post("/send-all", data=form, headers={"Accept": "application/json"})
        assert (answer.status_code, list(answer.json["errors"])) == (422, [field])
        page = client.post("/send-all", data=form | {"method": "all"})
        assert page.status_code == 422
        assert f'value="{form["timeout"]}"' in page.text
    assert sum(parts.store.counts().values()) == 0


def test_a_task_whose_begin_was_never_told_has_no_known_waiting(client: FlaskClient, parts: Services) -> None:
    send(client, "celery")
    (row,) = parts.store.page(Query())
    parts.store.apply([StatusUpdate(task_id=row["id"], status=TaskStatus.DONE, attempt=1)])
    task: Any = client.get(f"/api/tasks/{row['id']}").json
    assert (task["waited"], task["ran"]) == (None, None)
    assert task["total"] > 0
    page = client.get("/").text
    assert re.search(rf'data-task-id="{row["id"]}"[^>]* data-waited="" data-ran="" data-total="\d', page)
    assert re.search(r'data-cell="waited"[^>]*>–<', page)


def test_a_task_waits_from_the_time_that_was_set_for_it(client: FlaskClient, parts: Services) -> None:
    body = {"method": "celery", "timeout": 0, "countdown": 60}
    assert client.post("/api/tasks", json=body).status_code == 202
    (row,) = parts.store.page(Query())
    task: Any = client.get(f"/api/tasks/{row['id']}").json
    assert (task["waited"], task["total"]) == (None, None)
    due = datetime.fromtimestamp(row["created_us"] / 1e6 + 60, UTC)
    for status, seconds in ((TaskStatus.IN_PROGRESS, 0.5), (TaskStatus.DONE, 2.5)):
        at = due + timedelta(seconds=seconds)
        parts.store.apply([StatusUpdate(task_id=row["id"], status=status, attempt=1, at=at)])
    task = client.get(f"/api/tasks/{row['id']}").json
    assert task["waited"] == pytest.approx(0.5, abs=1e-5)
    assert task["total"] == pytest.approx(2.5, abs=1e-5)
