import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.relay import job_of
from api.services import Services
from lab.jobs.backoff import Fixed
from lab.status import StatusUpdate, TaskStatus, UpdateAnswer
from store.letters import Letter

MONTH = 30 * 86_400


def later(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def send(client: FlaskClient, headers: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    body = {"method": "celery", "timeout": 1} | fields
    if "kind" in fields:
        body.pop("timeout")
    answer = client.post("/api/tasks", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    task: dict[str, Any] = answer.json["tasks"][0]
    return task


def report(parts: Services, task_id: str, status: str, **fields: Any) -> UpdateAnswer:
    update = StatusUpdate.model_validate({"task_id": task_id, "status": status, **fields})
    return parts.store.apply([update])[0]


def status_of(parts: Services, task_id: str) -> tuple[str, str | None]:
    row = parts.store.get(task_id)
    assert row is not None
    return row["status"], row["error"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"countdown": -1}, "countdown"),
        ({"countdown": MONTH + 1}, "countdown"),
        ({"countdown": "5"}, "countdown"),
        ({"eta": "tomorrow"}, "eta"),
        ({"eta": "2026-01-31T12:00:00"}, "eta"),
        ({"eta": 1_800_000_000}, "eta"),
        ({"eta": f"{time.time() + 7200:.0f}"}, "eta"),
        ({"eta": later(MONTH + 7200)}, "eta"),
        ({"eta": later(7200), "countdown": 5}, "eta"),
        ({"expires": 0}, "expires"),
        ({"expires": MONTH + 1}, "expires"),
        ({"expires": "soon"}, "expires"),
        ({"expires": later(MONTH + 7200)}, "expires"),
        ({"expires": 5, "countdown": 5}, "expires"),
        ({"expires": later(7204), "eta": later(7209)}, "expires"),
        ({"priority": -1}, "priority"),
        ({"priority": 10}, "priority"),
        ({"priority": 9, "delivery": "naive"}, "priority"),
        ({"retry": "often"}, "retry"),
        ({"retry": {"policy": "fixed"}}, "retry"),
        ({"retry": {"policy": "fixed", "delay": -1}}, "retry"),
        ({"retry": {"policy": "exponential", "base": 0}}, "retry"),
        ({"retry": {"policy": "exponential", "jitter": 1}}, "retry"),
        ({"keep_result": "yes"}, "keep_result"),
        ({"callback": {"kind": "make_tea"}}, "callback"),
        ({"callback": {"kind": "process_task"}}, "callback"),
        ({"callback": {"kind": "flaky_task"}}, "callback"),
        ({"callback": {"kind": "add"}}, "callback"),
        ({"callback": {"kind": "add", "x": 1, "z": 1}}, "callback"),
        ({"errback": {"kind": "add", "x": "1", "y": 1}}, "errback"),
        ({"errback": {"kind": "add", "x": 1, "callback": {"kind": "add"}}}, "errback"),
        ({"method": "sync", "countdown": 1}, "countdown"),
        ({"method": "sync", "callback": {"kind": "add", "x": 1}}, "callback"),
        ({"kind": "add", "timeout": None, "x": 1}, "y"),
        ({"kind": "add", "x": 1, "y": 2}, "timeout"),
    ],
)
def test_an_option_out_of_its_bounds_is_named(
    client: FlaskClient, fields: dict[str, Any], field: str
) -> None:
    answer = client.post("/api/tasks", json={"method": "celery", "timeout": 1, **fields})
    assert answer.status_code == 422, answer.text
    assert {error["field"].split(".")[0] for error in answer.json["errors"]} == {field}
    assert client.get("/api/tasks").json["tasks"] == []


def test_times_are_kept_as_times_and_shown_in_utc(client: FlaskClient) -> None:
    task = send(client, countdown=60, expires=120.5, priority=3)
    created = datetime.fromisoformat(task["created_at"])
    assert task["options"] == {
        "priority": 3,
        "not_before": (created + timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "expires": (created + timedelta(seconds=120.5)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    assert send(client, eta="2020-01-31T15:00:00+03:00")["options"]["not_before"].startswith(
        "2020-01-31T12:00"
    )
    assert send(client)["options"] is None


def test_options_travel_with_the_job(client: FlaskClient, parts: Services) -> None:
    task = send(client, countdown=60, retry={"policy": "fixed", "delay": 3}, keep_result=True)
    job = job_of(parts.store.get(task["id"]) or {}, b"secret")
    assert 59 < job.options.seconds_left(0) - datetime.now(UTC).timestamp() < 61
    assert job.options.retry == Fixed(policy="fixed", delay=3.0)
    assert job.options.keep_result


def test_the_same_key_with_the_same_countdown_is_the_same_request(client: FlaskClient) -> None:
    key = {"Idempotency-Key": "later"}
    first, again = send(client, key, countdown=60), send(client, key, countdown=60)
    assert first["id"] == again["id"]
    other = {"method": "celery", "timeout": 1, "countdown": 61}
    assert client.post("/api/tasks", json=other, headers=key).status_code == 409


def test_followers_wait_and_only_the_first_ones_are_answered(client: FlaskClient, parts: Services) -> None:
    answer = client.post(
        "/api/tasks",
        json={
            "method": "rabbitmq",
            "kind": "add",
            "x": 1,
            "y": 2,
            "count": 2,
            "callback": {"kind": "multiply", "y": 3},
        },
    )
    tasks = answer.json["tasks"]
    assert [task["kind"] for task in tasks] == ["add", "add"]
    assert parts.outbox.waiting() == 2
    followers = {task["options"]["callback"] for task in tasks}
    assert len(followers) == 2
    job = job_of(parts.store.get(tasks[0]["id"]) or {}, b"secret")
    assert job.link is not None
    assert job.link.token != job.token
    assert (job.link.task_id in followers, job.link.kind, job.link.params) == (True, "multiply", {"y": 3.0})
    follower = client.get(f"/api/tasks/{job.link.task_id}").json
    assert (follower["status"], follower["options"]) == ("PENDING", {"after": tasks[0]["id"]})


def test_the_callback_is_given_the_result_and_the_errback_never_runs(
    client: FlaskClient, parts: Services
) -> None:
    task = send(
        client, kind="add", x=1, y=2, callback={"kind": "multiply", "y": 3}, errback={"kind": "word_count"}
    )
    report(parts, task["id"], "DONE", result=3.0)
    callback = parts.store.get(task["options"]["callback"]) or {}
    assert (callback["status"], callback["params"]) == ("PENDING", {"x": 3.0, "y": 3.0})
    never = f"never run: task #{task['num']} ended DONE"
    assert status_of(parts, task["options"]["errback"]) == ("CANCELLED", never)
    assert parts.store.counts()["CANCELLED"] == 1
    assert report(parts, task["id"], "IN_PROGRESS", attempt=2).result == 3.0


def test_a_task_that_is_cancelled_takes_both_with_it(client: FlaskClient, parts: Services) -> None:
    task = send(client, callback={"kind": "add", "x": 1}, errback={"kind": "word_count"})
    assert client.post(f"/api/tasks/{task['id']}/cancel").status_code == 202
    for link in ("callback", "errback"):
        assert status_of(parts, task["options"][link])[0] == "CANCELLED"


def test_the_errback_of_a_dead_letter_is_sent_by_the_api(client: FlaskClient, parts: Services) -> None:
    task = send(client, errback={"kind": "word_count"})
    before = parts.outbox.waiting()
    parts.dead_letters.keep(Letter("celery", "delivery_limit", task["id"], b"", {}))
    errback = parts.store.get(task["options"]["errback"]) or {}
    assert errback["params"]["text"].startswith("dead letter: ")
    assert parts.outbox.waiting() == before + 1


def test_an_expired_message_ends_its_task_and_is_no_letter(client: FlaskClient, parts: Services) -> None:
    task = send(client, expires=5)
    parts.dead_letters.keep(Letter("celery", "expired", task["id"], b"", {}))
    assert status_of(parts, task["id"]) == ("CANCELLED", "expired")
    assert parts.dead_letters.count() == 0


def test_sent_once_more_a_task_keeps_what_lasts_and_its_followers(
    client: FlaskClient, parts: Services
) -> None:
    task = send(client, countdown=60, priority=4, callback={"kind": "add", "x": 1})
    report(parts, task["id"], "FAILED", error="no")
    again = client.post(f"/api/tasks/{task['id']}/retry").json["task"]
    assert set(again["options"]) == {"priority", "callback"}
    assert again["options"]["callback"] != task["options"]["callback"]


@pytest.mark.parametrize(
    ("updates", "words"),
    [
        ([], {"status": "PENDING"}),
        ([{"status": "IN_PROGRESS", "progress": 0.0}], {"status": "STARTED"}),
        (
            [{"status": "IN_PROGRESS"}, {"status": "IN_PROGRESS", "progress": 0.254}],
            {"status": "PROCESSING", "progress": 25},
        ),
        ([{"status": "RETRYING", "error": "no"}], {"status": "RETRY"}),
        ([{"status": "DONE", "result": [1]}], {"status": "SUCCESS", "result": [1]}),
        ([{"status": "FAILED", "error": "no"}], {"status": "FAILURE", "error": "no"}),
        ([{"status": "CANCELLED"}], {"status": "REVOKED"}),
    ],
)
def test_a_task_is_told_in_celerys_words(
    client: FlaskClient, parts: Services, updates: list[dict[str, Any]], words: dict[str, Any]
) -> None:
    task = send(client)["id"]
    for fields in updates:
        report(parts, task, **fields)
    assert client.get(f"/task/{task}").json == {"task_id": task, **words}


@pytest.mark.parametrize("task_id", ["nobody", "%00", "x" * 500])
def test_a_task_that_nobody_knows_is_pending(client: FlaskClient, task_id: str) -> None:
    answer = client.get(f"/task/{task_id}")
    assert (answer.status_code, answer.json["status"]) == (200, "PENDING")


def test_a_result_backend_that_is_away_is_a_problem(make_app: Any) -> None:
    nowhere = "redis://127.0.0.1:1/0?socket_connect_timeout=1"
    answer = make_app(result_backend=nowhere).test_client().get("/task/nobody")
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")


def test_functions_are_described_and_take_their_parameters_either_way(client: FlaskClient) -> None:
    beside = send(client, kind="word_count", text="a")
    within = send(client, kind="word_count", params={"text": "a"})
    assert beside["kind"] == within["kind"] == "word_count"
    schema = client.get("/openapi.json").json["components"]["schemas"]["TaskRequest"]
    assert "word_count" in schema["properties"]["kind"]["enum"]
    assert [one.get("title") for one in schema["properties"]["params"]["anyOf"]][:3] == [
        "add",
        "multiply",
        "word_count",
    ]
    assert schema["properties"]["shortest"]["type"] == "integer"


def test_a_form_sends_options_and_a_functions_fields(client: FlaskClient, parts: Services) -> None:
    form = {
        "method": "celery",
        "kind": "word_count",
        "count": "1",
        "timeout": "5",
        "word_count.text": " a b ",
        "word_count.shortest": "1",
        "add.x": "7",
        "countdown": "2,5",
        "expires": "60",
        "priority": "9",
        "delivery": "safe",
    }
    assert client.post("/submit", data=form).status_code == 303
    task = client.get("/api/tasks").json["tasks"][0]
    row = parts.store.get(task["id"]) or {}
    assert row["params"] == {"text": " a b ", "shortest": 1}
    assert set(task["options"]) == {"priority", "not_before", "expires"}
    assert task["status"] == TaskStatus.PENDING


def test_a_fault_in_a_functions_field_stands_beside_it(client: FlaskClient) -> None:
    form = {"method": "sync", "kind": "word_count", "word_count.text": "a", "word_count.shortest": "many"}
    answer = client.post("/submit", data=form)
    assert answer.status_code == 422
    place = answer.text.index('id="sync-word_count.shortest-error"')
    assert "A whole number." in answer.text[place : place + 150]
