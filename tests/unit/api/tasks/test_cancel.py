from flask.testing import FlaskClient

from api.services import Services
from lab.status import StatusUpdate, TaskStatus


def submit(client: FlaskClient) -> str:
    answer = client.post("/api/tasks", json={"method": "rabbitmq", "timeout": 5})
    task_id: str = answer.json["tasks"][0]["id"]
    return task_id


def test_a_waiting_task_is_cancelled_at_once_and_its_worker_told_not_to_run(
    client: FlaskClient, parts: Services
) -> None:
    task = submit(client)
    answer = client.post(f"/api/tasks/{task}/cancel")
    assert answer.status_code == 202
    assert answer.json["task"]["status"] == "CANCELLED"
    verdict = parts.store.apply([StatusUpdate(task_id=task, status=TaskStatus.IN_PROGRESS)])[0]
    assert not verdict.run


def test_a_running_task_hears_of_it_with_each_report(client: FlaskClient, parts: Services) -> None:
    task = submit(client)
    parts.store.apply([StatusUpdate(task_id=task, status=TaskStatus.IN_PROGRESS)])
    answer = client.post(f"/api/tasks/{task}/cancel")
    assert (answer.status_code, answer.json["task"]["status"]) == (202, "IN_PROGRESS")
    assert answer.json["task"]["cancel_requested_at"]
    verdict = parts.store.apply([StatusUpdate(task_id=task, status=TaskStatus.IN_PROGRESS, progress=0.5)])[0]
    assert verdict.cancel
    parts.store.apply([StatusUpdate(task_id=task, status=TaskStatus.CANCELLED)])
    assert client.get(f"/api/tasks/{task}").json["status"] == "CANCELLED"


def test_a_task_that_finished_first_says_so(client: FlaskClient, parts: Services) -> None:
    task = submit(client)
    parts.store.apply([StatusUpdate(task_id=task, status=TaskStatus.IN_PROGRESS)])
    client.post(f"/api/tasks/{task}/cancel")
    assert not parts.store.apply([StatusUpdate(task_id=task, status=TaskStatus.DONE)])[0].cancel
    told = client.get(f"/api/tasks/{task}").json
    assert told["status"] == "DONE"
    assert told["cancel_requested_at"]


def test_asking_twice_keeps_the_first_time(client: FlaskClient, parts: Services) -> None:
    task = submit(client)
    parts.store.apply([StatusUpdate(task_id=task, status=TaskStatus.IN_PROGRESS)])
    first = client.post(f"/api/tasks/{task}/cancel").json["task"]["cancel_requested_at"]
    assert client.post(f"/api/tasks/{task}/cancel").json["task"]["cancel_requested_at"] == first


def test_a_task_that_has_ended_cannot_be_cancelled(client: FlaskClient) -> None:
    task = submit(client)
    client.post(f"/api/tasks/{task}/cancel")
    again = client.post(f"/api/tasks/{task}/cancel")
    assert again.status_code == 409
    assert "CANCELLED" in again.json["detail"]


def test_a_cancelled_task_is_sent_once_more_as_a_new_one(client: FlaskClient) -> None:
    task = submit(client)
    assert client.post(f"/api/tasks/{task}/retry").status_code == 409
    client.post(f"/api/tasks/{task}/cancel")
    answer = client.post(f"/api/tasks/{task}/retry")
    assert answer.status_code == 202
    assert answer.json["task"]["retry_of"] == task
    assert client.get(f"/api/tasks/{task}").json["status"] == "CANCELLED"


def test_an_unknown_task_is_404(client: FlaskClient) -> None:
    assert client.post("/api/tasks/nobody/cancel").status_code == 404
    assert client.post("/api/tasks/nobody/retry").status_code == 404
