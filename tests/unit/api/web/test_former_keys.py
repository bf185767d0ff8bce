"""Tokens that were made with another key than the present one."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from api import LabAPI, watch
from api.services import Services
from lab.settings import Settings
from lab.token import sign
from store.engine import create_engine
from store.tasks import NewTask
from tests.pictures import corners, encode

URL = "/update_task_status_api/"


@pytest.fixture
def app(make_app: Callable[..., LabAPI]) -> LabAPI:
    """An application whose key was changed twice."""
    made = make_app(secret_key="third", former_secret_keys=(b"second", b"first"))
    made.config["WTF_CSRF_ENABLED"] = False
    return made


def _task(parts: Services) -> str:
    task_id: str = parts.store.add(NewTask("celery", "process_task", {"timeout": 5.0}, 5.0)).rows[0]["id"]
    return task_id


def _update(parts: Services, token: str | None = None) -> dict[str, str]:
    task_id = _task(parts)
    return {
        "task_id": task_id,
        "status": "IN_PROGRESS",
        "token": sign(b"unknown", task_id) if token is None else token,
    }


def _seen(parts: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the watch look; all but what it counted is well."""
    well = {"broker": {"up": True, "since": None}, "workers": {"celery": 1, "rabbitmq": 1}}
    seen = parts.watch.refresh()
    monkeypatch.setattr(parts.watch, "within", lambda *_: {**seen, **well})


def _refused(client: Any) -> tuple[int, list[str], float]:
    """What `/readyz` answers and details, and what `/metrics` counts."""
    ready, lines = client.get("/readyz"), client.get("/metrics").text.splitlines()
    (total,) = (float(line.split()[1]) for line in lines if line.startswith("lab_reports_refused_total "))
    return ready.status_code, ready.json["details"], total


@pytest.mark.parametrize("key", [b"third", b"second", b"first"])
def test_reports_of_tasks_sent_before_the_key_changed_are_taken(
    client: Any, parts: Services, key: bytes
) -> None:
    task_id = _task(parts)
    update = {"task_id": task_id, "status": "DONE", "token": sign(key, task_id)}
    assert client.post(URL, json=update).status_code == 200
    assert client.get(f"/api/tasks/{task_id}").json["status"] == "DONE"


def test_files_of_tasks_sent_before_the_key_changed_open(client: Any) -> None:
    files = {"files": [(io.BytesIO(encode(corners(), "PNG")), "one.png")]}
    image = client.post("/api/images", data=files, content_type="multipart/form-data").json["images"][0]
    body = {"method": "celery", "images": [image["id"]], "operation": {"name": "grayscale"}}
    task_id = client.post("/api/groups", json=body).json["group"]["tasks"][0]["id"]
    for key, status in ((b"third", 200), (b"first", 200), (b"unknown", 403)):
        bearer = {"Authorization": f"Bearer {sign(key, task_id)}"}
        with client.get(f"/api/tasks/{task_id}/input", headers=bearer) as answer:
            assert answer.status_code == status


def test_a_lab_that_refuses_reports_is_not_ready_and_counts_them(
    client: Any, parts: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    _seen(parts, monkeypatch)
    assert _refused(client) == (200, [], 0.0)
    updates = [_update(parts) for _ in range(3)]
    assert client.post(URL, json=updates[0]).status_code == 403
    assert client.post(URL, json={"updates": updates[1:]}).json["results"][0]["applied"] is False
    _seen(parts, monkeypatch)
    assert _refused(client) == (503, ["reports are refused: 3 in the last 5 minutes"], 3.0)
    assert client.get("/readyz").json["detail"] == "reports are refused"
    monkeypatch.setattr(watch, "REFUSED_SECONDS", 0.0)
    _seen(parts, monkeypatch)
    _seen(parts, monkeypatch)
    assert _refused(client) == (200, [], 3.0)


def test_reports_without_a_token_are_refused_and_not_counted(
    client: Any, parts: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.post(URL, json=_update(parts, token="")).status_code == 403
    _seen(parts, monkeypatch)
    assert _refused(client) == (200, [], 0.0)


def test_every_process_of_the_api_sees_what_one_refused(
    client: Any, parts: Services, make_app: Callable[..., LabAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_app(secret_key="third")
    its = other.extensions["lab"]
    its.watch.refresh()
    assert client.post(URL, json=_update(parts)).status_code == 403
    parts.watch.refresh()
    _seen(its, monkeypatch)
    assert _refused(other.test_client()) == (503, ["reports are refused: 1 in the last 5 minutes"], 1.0)


def test_what_was_refused_before_a_restart_does_not_keep_the_lab_from_being_ready(
    client: Any, parts: Services, make_app: Callable[..., LabAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.post(URL, json=_update(parts)).status_code == 403
    parts.watch.refresh()
    again = make_app(secret_key="third")
    _seen(again.extensions["lab"], monkeypatch)
    assert _refused(again.test_client()) == (200, [], 1.0)


def test_what_is_refused_while_the_store_is_away_is_counted_later(
    client: Any, parts: Services, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    assert client.post(URL, json=_update(parts)).status_code == 403
    with monkeypatch.context() as away:
        away.setattr(parts.store, "engine", create_engine(f"sqlite:///{settings.var}/none/none.sqlite3"))
        assert parts.watch.refresh()["store"]["up"] is False
    _seen(parts, monkeypatch)
    assert _refused(client)[2] == 1.0
