"""A store that another program holds locked: requests are answered in time, and nothing of them is done later."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from api import LabAPI
from api.services import Services
from lab.token import sign

pytestmark = pytest.mark.slow

CLIENTS = 12


@contextmanager
def locked(engine: sa.Engine) -> Iterator[None]:
    """What another program may do to the database."""
    connection = engine.raw_connection()
    cursor = connection.cursor()
    if engine.dialect.name == "sqlite":
        cursor.execute("BEGIN EXCLUSIVE")
    else:
        cursor.execute("LOCK TABLE tasks, counters, outbox, dead_letters IN EXCLUSIVE MODE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


def _post(client: FlaskClient) -> tuple[int, str | None, float]:
    begin = time.monotonic()
    answer = client.post("/api/tasks", json={"method": "celery", "timeout": 0})
    return answer.status_code, answer.headers.get("Retry-After"), time.monotonic() - begin


def test_a_locked_store_refuses_tasks_in_time_and_does_not_take_them_later(
    app: LabAPI, parts: Services
) -> None:
    with locked(parts.store.engine), ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(_post, [app.test_client() for _ in range(CLIENTS)]))
    assert {(status, retry) for status, retry, _ in answers} == {(503, "5")}
    assert max(seconds for *_, seconds in answers) < 20
    assert sum(parts.store.counts().values()) == 0
    assert _post(app.test_client())[0] == 202


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/update_task_status_api/", {"status": "IN_PROGRESS"}),
        ("/api/tasks/{id}/cancel", None),
        ("/process_images", {"images": ["a.jpg"]}),
    ],
)
def test_a_locked_store_refuses_every_change(
    client: FlaskClient, parts: Services, path: str, body: dict[str, object] | None
) -> None:
    task = client.post("/api/tasks", json={"method": "celery", "timeout": 0}).json["tasks"][0]["id"]
    if path.startswith("/update"):
        body = {**(body or {}), "task_id": task, "token": sign(parts.secret, task)}
    with locked(parts.store.engine):
        answer = client.post(path.format(id=task), json=body)
    assert answer.status_code == 503, answer.text
