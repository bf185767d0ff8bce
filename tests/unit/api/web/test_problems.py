import errno

import pytest
from flask.testing import FlaskClient

from api.services import Services


def _break_the_store(parts: Services) -> None:
    with parts.store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE tasks RENAME TO away")


def _mend_the_store(parts: Services) -> None:
    with parts.store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO tasks")


def test_a_store_that_fails_is_answered_with_503_and_when_to_come_back(
    client: FlaskClient, parts: Services
) -> None:
    _break_the_store(parts)
    try:
        answer = client.post("/api/tasks", json={"method": "celery", "timeout": 1})
        assert answer.status_code == 503
        assert answer.content_type == "application/problem+json"
        assert int(answer.headers["Retry-After"]) > 0
        assert client.get("/").status_code == 503
        callback = client.post("/update_task_status_api/", json={"task_id": "x", "status": "DONE"})
        assert callback.status_code == 503
    finally:
        _mend_the_store(parts)
    assert client.post("/api/tasks", json={"method": "celery", "timeout": 1}).status_code == 202


def test_a_full_disk_is_answered_with_503_and_when_to_come_back(
    client: FlaskClient, parts: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(parts.submitter, "submit", full)
    answer = client.post("/api/tasks", json={"method": "celery", "timeout": 1})
    assert answer.status_code == 503
    assert "The disk is full" in answer.get_data(as_text=True)
    assert int(answer.headers["Retry-After"]) > 0
