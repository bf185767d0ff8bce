"""Bad requests: each is answered with a 4xx that names the fault, and stores nothing."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from api import MOST_BODY_BYTES
from api.services import Services
from lab.token import sign
from store.tasks import NewTask

TASKS, CALLBACK = "/api/tasks", "/update_task_status_api/"
GOOD = {"method": "celery", "timeout": 1}

# route, body, a word that the answer must hold
JSON_CASES: list[tuple[str, Any, str]] = [
    (TASKS, {}, "method"),
    (TASKS, [], "object"),
    (TASKS, "celery", "object"),
    (TASKS, 5, "object"),
    (TASKS, [GOOD], "object"),
    (TASKS, {"method": "celery"}, "timeout"),
    (TASKS, {"timeout": 1}, "method"),
    (TASKS, {**GOOD, "method": "carrier pigeon"}, "method"),
    (TASKS, {**GOOD, "method": "Celery"}, "method"),
    (TASKS, {**GOOD, "method": None}, "method"),
    (TASKS, {**GOOD, "method": ["celery"]}, "method"),
    (TASKS, {**GOOD, "method": {"$ne": ""}}, "method"),
    (TASKS, {**GOOD, "timeout": "1"}, "timeout"),
    (TASKS, {**GOOD, "timeout": "soon"}, "timeout"),
    (TASKS, {**GOOD, "timeout": None}, "timeout"),
    (TASKS, {**GOOD, "timeout": True}, "timeout"),
    (TASKS, {**GOOD, "timeout": [1]}, "timeout"),
    (TASKS, {**GOOD, "timeout": -0.001}, "timeout"),
    (TASKS, {**GOOD, "timeout": 3600.001}, "3600"),
    (TASKS, {**GOOD, "timeout": 10**400}, "timeout"),
    (TASKS, {**GOOD, "count": 0}, "count"),
    (TASKS, {**GOOD, "count": -1}, "count"),
    (TASKS, {**GOOD, "count": 10_001}, "10000"),
    (TASKS, {**GOOD, "count": 1.5}, "count"),
    (TASKS, {**GOOD, "count": "2"}, "count"),
    (TASKS, {**GOOD, "count": True}, "count"),
    (TASKS, {**GOOD, "count": 10**30}, "count"),
    (TASKS, {**GOOD, "priority": 10}, "priority"),
    (TASKS, {**GOOD, "kind": "rm -rf"}, "kind"),
    (TASKS, {**GOOD, "numbers": [1]}, "numbers"),
    (TASKS, {"method": "celery", "kind": "process_data"}, "numbers"),
    (TASKS, {"method": "celery", "kind": "process_data", "numbers": []}, "numbers"),
    (TASKS, {"method": "celery", "kind": "process_data", "numbers": ["1"]}, "numbers"),
    (TASKS, {"method": "celery", "kind": "process_data", "numbers": [None]}, "numbers"),
    (TASKS, {"method": "celery", "kind": "process_data", "numbers": "1, 2"}, "numbers"),
    (TASKS, {"method": "celery", "kind": "process_data", "numbers": [1] * 10_001}, "10000"),
    (TASKS, {"method": "celery", "kind": "process_data", "numbers": [1], "timeout": 1}, "timeout"),
    (TASKS, {"method": "sync", "timeout": 2.5}, "2 seconds"),
    (TASKS, {"method": "sync", "timeout": 1, "count": 10_000}, "10000"),
    (CALLBACK, {}, "task_id"),
    (CALLBACK, [], "object"),
    (CALLBACK, "DONE", "object"),
    (CALLBACK, {"task_id": "ID"}, "status"),
    (CALLBACK, {"task_id": "ID", "status": "done"}, "status"),
    (CALLBACK, {"task_id": "ID", "status": 1}, "status"),
    (CALLBACK, {"task_id": 5, "status": "DONE"}, "task_id"),
    (CALLBACK, {"task_id": "", "status": "DONE"}, "task_id"),
    (CALLBACK, {"task_id": "x" * 65, "status": "DONE"}, "task_id"),
    (CALLBACK, {"task_id": "ID", "status": "DONE", "attempt": -1}, "attempt"),
    (CALLBACK, {"task_id": "ID", "status": "DONE", "attempt": 1e300}, "attempt"),
    (CALLBACK, {"task_id": "ID", "status": "DONE", "at": "now"}, "at"),
    (CALLBACK, {"task_id": "ID", "status": "DONE", "at": "0000-00-00T00:00:00Z"}, "at"),
    (CALLBACK, {"task_id": "ID", "status": "DONE", "progress": "half"}, "progress"),
    (CALLBACK, {"task_id": "ID", "status": "DONE", "progress": 2}, "progress"),
    (CALLBACK, {"task_id": "ID", "status": "DONE", "error": "e" * 10_001}, "error"),
    (CALLBACK, {"task_id": "ID", "status": "DONE", "token": "wrong"}, "token"),
    (CALLBACK, {"task_id": "ID", "status": "DONE"}, "token"),
    (CALLBACK, {"task_id": "unknown", "status": "DONE", "token": "x"}, "unknown"),
    (CALLBACK, {"updates": []}, "updates"),
    (CALLBACK, {"updates": {}}, "updates"),
    (CALLBACK, {"updates": [{}] * 1001}, "1000"),
]

# method, route, body, headers, status, a word that the answer must hold
RAW_CASES: list[tuple[str, str, bytes | None, dict[str, str], int, str]] = [
    ("POST", TASKS, b"", {"Content-Type": "application/json"}, 400, "JSON"),
    ("POST", TASKS, b'{"method": "celery", "timeout": 1', {"Content-Type": "application/json"}, 400, "JSON"),
    ("POST", TASKS, b'{"method": "celery", "timeout": NaN}', {"Content-Type": "application/json"}, 400, "JSON"),
    ("POST", TASKS, b'{"method": "celery", "timeout": -Infinity}', {"Content-Type": "application/json"}, 400, "JSON"),
    ("POST", TASKS, b'{"method": "celery", "timeout": 1e999}', {"Content-Type": "application/json"}, 422, "timeout"),
    ("POST", TASKS, b"null", {"Content-Type": "application/json"}, 400, "object"),
    ("POST", TASKS, b"\xff\xfe", {"Content-Type": "application/json"}, 400, "JSON"),
    ("POST", TASKS, b"[" * 100_000, {"Content-Type": "application/json"}, 400, "JSON"),
    ("POST", TASKS, b'{"method": "\\ud800", "timeout": 1}', {"Content-Type": "application/json"}, 400, "JSON"),
    ("POST", TASKS, b"method=celery&timeout=1", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "JSON"),
    ("POST", TASKS, b" " * (MOST_BODY_BYTES + 1), {"Content-Type": "application/json"}, 413, "data"),
    ("POST", TASKS, b'{"method": "celery", "timeout": 1}', {"Content-Type": "application/json", "Idempotency-Key": ""}, 400, "Idempotency-Key"),
    ("POST", TASKS, b'{"method": "celery", "timeout": 1}', {"Content-Type": "application/json", "Idempotency-Key": "k" * 201}, 400, "Idempotency-Key"),
    ("POST", CALLBACK, b"{", {"Content-Type": "application/json"}, 400, "JSON"),
    ("POST", CALLBACK, b"{}", {"Content-Type": "text/plain"}, 415, "Content-Type"),
    ("POST", CALLBACK, b" " * (MOST_BODY_BYTES + 1), {"Content-Type": "application/json"}, 413, "data"),
    ("GET", CALLBACK, None, {}, 405, "not allowed"),
    ("PUT", TASKS, b"{}", {"Content-Type": "application/json"}, 405, "not allowed"),
    ("DELETE", f"{TASKS}/x", None, {}, 405, "not allowed"),
    ("GET", f"{TASKS}/unknown", None, {}, 404, "unknown"),
    ("GET", f"{TASKS}/%00", None, {}, 404, "no task"),
    ("GET", f"{TASKS}/..%2f..%2fetc%2fpasswd", None, {}, 404, "not found"),
    ("GET", f"{TASKS}?limit=0", None, {}, 422, "limit"),
    ("GET", f"{TASKS}?limit=1000000", None, {}, 422, "200"),
    ("GET", f"{TASKS}?limit=ten", None, {}, 422, "limit"),
    ("GET", f"{TASKS}?cursor=x", None, {}, 422, "cursor"),
    ("GET", f"{TASKS}?cursor=-1", None, {}, 422, "cursor"),
    ("GET", f"{TASKS}?cursor={'9' * 40}", None, {}, 422, "cursor"),
    ("GET", f"{TASKS}?status=ASLEEP", None, {}, 422, "status"),
    ("GET", f"{TASKS}?method=pigeon", None, {}, 422, "method"),
    ("GET", f"{TASKS}?order=num", None, {}, 422, "order"),
    ("GET", f"{TASKS}?q={'x' * 65}", None, {}, 422, "q"),
    ("GET", "/events?after=x", None, {}, 400, "Last-Event-ID"),
    ("GET", "/events", None, {"Last-Event-ID": "-5"}, 400, "Last-Event-ID"),
    ("GET", "/api/nothing", None, {}, 404, "not found"),
]  # fmt: skip


@pytest.fixture
def task_id(parts: Services) -> str:
    found: str = parts.store.add(NewTask("celery", "process_task", {"timeout": 1.0}, 1.0)).rows[0]["id"]
    return found


def _filled(body: Any, task_id: str, secret: bytes) -> Any:
    if isinstance(body, dict) and body.get("task_id") == "ID":
        return {"token": sign(secret, task_id), **body, "task_id": task_id}
    return body


@pytest.mark.parametrize(("route", "body", "word"), JSON_CASES)
def test_a_bad_body_is_answered_with_its_fault_and_stores_nothing(
    client: FlaskClient, parts: Services, task_id: str, route: str, body: Any, word: str
) -> None:
    filled = _filled(body, task_id, parts.secret)
    if isinstance(filled, dict) and word == "token" and "token" not in body:
        filled.pop("token")
    answer = client.post(route, json=filled)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.content_type == "application/problem+json"
    assert word in answer.text
    _nothing_changed(parts)


@pytest.mark.parametrize(("method", "route", "body", "headers", "status", "word"), RAW_CASES)
def test_a_bad_request_is_answered_with_its_fault_and_stores_nothing(
    client: FlaskClient,
    parts: Services,
    task_id: str,
    method: str,
    route: str,
    body: bytes | None,
    headers: dict[str, str],
    status: int,
    word: str,
) -> None:
    answer = client.open(route, method=method, data=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    assert word.lower() in answer.text.lower()
    _nothing_changed(parts)


def test_there_are_at_least_forty_of_them() -> None:
    assert len(JSON_CASES) + len(RAW_CASES) >= 40


def _nothing_changed(parts: Services) -> None:
    assert {status: n for status, n in parts.store.counts().items() if n} == {"PENDING": 1}
    assert len(parts.store.history(1)) == 1
    assert parts.outbox.waiting() == 0
