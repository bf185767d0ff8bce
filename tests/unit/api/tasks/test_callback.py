from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.services import Services
from lab.token import sign
from store.tasks import NewTask

URL = "/update_task_status_api/"


@pytest.fixture
def task(parts: Services) -> dict[str, Any]:
    return parts.store.add(NewTask("celery", "process_task", {"timeout": 5.0}, 5.0)).rows[0]


@pytest.fixture
def token(parts: Services, task: dict[str, Any]) -> str:
    return sign(parts.secret, task["id"])


def report(client: FlaskClient, **fields: Any) -> TestResponse:
    return client.post(URL, json=fields)


def test_an_update_with_the_tasks_token_moves_it(client: FlaskClient, task: Any, token: str) -> None:
    answer = report(client, task_id=task["id"], status="IN_PROGRESS", token=token, worker="w", attempt=1)
    assert answer.status_code == 200
    assert answer.json == {
        "results": [{"task_id": task["id"], "applied": True, "status": "IN_PROGRESS", "cancel": False}]
    }


def test_a_wrong_or_missing_token_changes_nothing(client: FlaskClient, task: Any, parts: Services) -> None:
    for token in ("", "0" * 64, sign(b"other", task["id"]), sign(parts.secret, "another task")):
        assert report(client, task_id=task["id"], status="DONE", token=token).status_code == 403
    assert len(parts.store.history(task["num"])) == 1


def test_an_unknown_task_is_404(client: FlaskClient) -> None:
    assert report(client, task_id="nobody", status="DONE", token="x").status_code == 404


def test_a_malformed_update_is_400_and_names_the_field(client: FlaskClient, task: Any, token: str) -> None:
    answer = report(client, task_id=task["id"], status="DONE", token=token, progress=7)
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert answer.json["errors"][0]["field"] == "progress"


def test_in_a_batch_each_result_carries_its_own_error(
    client: FlaskClient, task: Any, token: str, parts: Services
) -> None:
    good = {"task_id": task["id"], "status": "DONE", "token": token}
    bad = [
        {**good, "token": "x"},
        {"task_id": "nobody", "status": "DONE", "token": sign(parts.secret, "nobody")},
        5,
    ]
    answer = client.post(URL, json={"updates": [bad[0], good, *bad[1:]]})
    assert answer.status_code == 200
    results = answer.json["results"]
    assert [result["applied"] for result in results] == [False, True, False, False]
    assert "token" in results[0]["error"]
    assert results[2]["error"] == "unknown task"
    assert "error" in results[3]


def test_a_stamp_is_answered_once_also_beside_one_that_is_malformed(
    client: FlaskClient, task: Any, token: str
) -> None:
    times = {"began_at": "2026-01-31T12:00:00.000000Z", "at": "2026-01-31T12:00:02.000000Z"}
    stamp = {"task_id": task["id"], "status": "DONE", "token": token, "run": "r", **times}
    answer = client.post(URL, json={"updates": [{**stamp, "began_at": 5}, stamp]})
    assert [result["applied"] for result in answer.json["results"]] == [False, True]
    assert answer.json["results"][0]["error"].startswith("began_at: ")
    told = client.get(f"/api/tasks/{task['id']}").json
    assert (told["started_at"], told["finished_at"], told["ran"]) == (*times.values(), 2.0)


def test_a_late_update_is_answered_with_where_the_task_stands(
    client: FlaskClient, task: Any, token: str
) -> None:
    report(client, task_id=task["id"], status="DONE", token=token)
    answer = report(client, task_id=task["id"], status="IN_PROGRESS", token=token)
    assert answer.json["results"][0] == {
        "task_id": task["id"],
        "applied": False,
        "status": "DONE",
        "cancel": False,
    }


def test_text_that_no_database_takes_is_stored_without_harm(
    client: FlaskClient, task: Any, token: str, parts: Services
) -> None:
    answer = report(
        client,
        task_id=task["id"],
        status="FAILED",
        token=token,
        worker="w\x00",
        error="a\x00b",
        result={"k\x00": "\x00"},
    )
    assert answer.status_code == 200
    row = parts.store.get(task["id"])
    assert row is not None
    assert "\x00" not in row["error"] + row["worker"]


def test_a_batch_takes_up_to_a_thousand_updates(client: FlaskClient, parts: Services) -> None:
    rows = parts.store.add(NewTask("celery", "process_task", {"timeout": 5.0}, 5.0), 1_000).rows
    updates = [
        {"task_id": row["id"], "status": "DONE", "token": sign(parts.secret, row["id"])} for row in rows
    ]
    results = client.post(URL, json={"updates": updates}).json["results"]
    assert [result["task_id"] for result in results] == [row["id"] for row in rows]
    assert all(result["applied"] for result in results)
    for wrong in ([*updates, updates[0]], [], 5, None):
        answer = client.post(URL, json={"updates": wrong})
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "updates")


@pytest.mark.parametrize("result", ["NaN", "Infinity", '"\\ud800"', "[" * 500 + "]" * 500])
def test_what_is_no_json_is_refused_as_a_whole(
    client: FlaskClient, task: Any, token: str, result: str
) -> None:
    update = f'{{"task_id": "{task["id"]}", "status": "DONE", "token": "{token}", "result": {result}}}'
    body = f'{{"updates": [{update}]}}'
    assert client.post(URL, data=body, content_type="application/json").status_code == 400
    assert client.get(f"/api/tasks/{task['id']}").json["status"] == "PENDING"


def test_a_text_may_speak_of_what_is_no_number(client: FlaskClient, task: Any, token: str) -> None:
    update = {"task_id": task["id"], "status": "FAILED", "token": token, "error": "NaN and Infinity"}
    assert client.post(URL, json={"updates": [update]}).json["results"][0]["applied"]
    assert client.get(f"/api/tasks/{task['id']}").json["error"] == "NaN and Infinity"


def test_a_batch_must_say_that_it_is_json(client: FlaskClient) -> None:
    assert client.post(URL, data=b'{"updates": []}', content_type="text/plain").status_code == 415
