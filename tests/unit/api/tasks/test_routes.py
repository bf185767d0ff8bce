from flask.testing import FlaskClient

from api.services import Services
from lab.status import StatusUpdate, TaskStatus


def test_a_task_for_a_broker_is_accepted_and_pending(client: FlaskClient, parts: Services) -> None:
    answer = client.post("/api/tasks", json={"method": "celery", "timeout": 1.5, "count": 2})
    assert answer.status_code == 202
    assert [
        (task["num"], task["method"], task["timeout"], task["status"]) for task in answer.json["tasks"]
    ] == [
        (1, "celery", 1.5, "PENDING"),
        (2, "celery", 1.5, "PENDING"),
    ]
    assert parts.outbox.waiting() == 2


def test_a_sync_task_has_ended_when_the_answer_comes(client: FlaskClient, parts: Services) -> None:
    answer = client.post("/api/tasks", json={"method": "sync", "timeout": 0.05, "count": 2})
    assert answer.status_code == 201
    assert [task["status"] for task in answer.json["tasks"]] == ["DONE", "DONE"]
    assert all(task["ran"] >= 0.05 for task in answer.json["tasks"])
    assert parts.outbox.waiting() == 0


def test_one_request_may_not_take_longer_than_its_bound(client: FlaskClient) -> None:
    answer = client.post("/api/tasks", json={"method": "sync", "timeout": 1.0, "count": 3})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["bound"] == 2
    assert client.get("/api/tasks").json["tasks"] == []


def test_process_data_gives_its_figures(client: FlaskClient) -> None:
    answer = client.post("/api/tasks", json={"method": "sync", "kind": "process_data", "numbers": [1, 2, 3]})
    result = answer.json["tasks"][0]["result"]
    assert (result["count"], result["sum"], result["min"], result["max"], result["mean"]) == (3, 6, 1, 3, 2)


def test_the_same_idempotency_key_sends_once(client: FlaskClient) -> None:
    body, headers = {"method": "celery", "timeout": 1}, {"Idempotency-Key": "a"}
    first = client.post("/api/tasks", json=body, headers=headers)
    second = client.post("/api/tasks", json=body, headers=headers)
    assert first.status_code == second.status_code == 202
    assert first.json["tasks"][0]["id"] == second.json["tasks"][0]["id"]
    other = client.post("/api/tasks", json={**body, "timeout": 2}, headers=headers)
    assert other.status_code == 409
    assert len(client.get("/api/tasks").json["tasks"]) == 1


def test_the_list_goes_back_by_cursor(client: FlaskClient) -> None:
    client.post("/api/tasks", json={"method": "celery", "timeout": 1, "count": 5})
    first = client.get("/api/tasks?limit=3").json
    second = client.get(f"/api/tasks?limit=3&cursor={first['next']}").json
    assert [task["num"] for task in first["tasks"] + second["tasks"]] == [5, 4, 3, 2, 1]
    assert second["next"] is None
    assert first["counts"]["PENDING"] == 5


def test_one_task_shows_its_history_with_worker_and_times(client: FlaskClient, parts: Services) -> None:
    task = client.post("/api/tasks", json={"method": "celery", "timeout": 1}).json["tasks"][0]["id"]
    parts.store.apply([StatusUpdate(task_id=task, status=TaskStatus.IN_PROGRESS, worker="celery@a")])
    answer = client.get(f"/api/tasks/{task}").json
    assert [(event["status"], event["worker"]) for event in answer["events"]] == [
        ("PENDING", None),
        ("IN_PROGRESS", "celery@a"),
    ]
    assert answer["events"][1]["at"].endswith("Z")
    assert len(answer["events"][1]["at"]) == len("2026-01-31T12:00:00.000000Z")


def test_the_parameters_of_one_request_are_bounded_all_together(client: FlaskClient) -> None:
    body = {"method": "celery", "kind": "process_data", "numbers": [0.123456789] * 10_000, "count": 200}
    answer = client.post("/api/tasks", json=body)
    assert answer.status_code == 422
    (error,) = answer.json["errors"]
    assert (error["field"], error["code"]) == ("count", "total_bytes")


def test_an_answer_names_so_many_faults_and_counts_the_others(client: FlaskClient) -> None:
    unknown = {f"{n}{'x' * 300}": 1 for n in range(1000)}
    answer = client.post("/api/tasks", json={"method": "celery", "timeout": 1, **unknown})
    assert answer.status_code == 422
    assert len(answer.json["errors"]) == 20
    assert answer.json["detail"].endswith("; and 980 more")
    assert len(answer.data) < 20_000
