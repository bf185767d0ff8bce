"""Groups of images in the JSON API, without workers."""

import io
import zipfile
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.images.group_routes import entry_name
from api.services import Services
from lab.status import StatusUpdate, TaskStatus
from lab.token import sign
from tests.pictures import corners, encode


@pytest.fixture
def images(client: FlaskClient) -> list[str]:
    """The ids of three uploads, two of the same name."""
    picture = encode(corners(), "PNG")
    files = [(io.BytesIO(picture), name) for name in ("../a b.png", "a b.png", "ж.png")]
    answer = client.post("/api/images", data={"files": files}, content_type="multipart/form-data")
    return [image["id"] for image in answer.json["images"]]


def _body(images: list[str], fields: dict[str, Any] | None = None) -> dict[str, Any]:
    operation = {"name": "blur", "radius": 2}
    return {"method": "rabbitmq", "images": images, "operation": operation} | (fields or {})


def _end(parts: Services, client: FlaskClient, task: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {sign(parts.secret, task['id'])}"}
    for part in ("preview", "result"):
        client.put(f"/api/tasks/{task['id']}/output/{part}", data=part.encode(), headers=headers)
    result = {"image": task["image"]["id"], "format": "PNG"}
    parts.store.apply([StatusUpdate(task_id=task["id"], status=TaskStatus.DONE, result=result)])


def test_a_group_is_counted_by_its_tasks(client: FlaskClient, parts: Services, images: list[str]) -> None:
    answer = client.post("/api/groups", json=_body(images))
    assert answer.status_code == 202
    group = answer.json["group"]
    assert group["count"] == 3
    assert group["share"] == 0
    assert [task["image"]["id"] for task in group["tasks"]] == images
    _end(parts, client, group["tasks"][1])
    group = client.get(f"/api/groups/{group['id']}").json["group"]
    assert group["share"] == pytest.approx(1 / 3)
    assert group["counts"]["DONE"] == 1
    assert [bool(task["result_url"]) for task in group["tasks"]] == [False, True, False]
    assert client.get(f"/status/{group['id']}").json == {"status": 1 / 3}
    assert [one["id"] for one in client.get("/api/groups").json["groups"]] == [group["id"]]


def test_cancelling_tells_who_was_waiting_running_and_done(
    client: FlaskClient, parts: Services, images: list[str]
) -> None:
    group = client.post("/api/groups", json=_body(images)).json["group"]
    done, running, waiting = group["tasks"]
    _end(parts, client, done)
    parts.store.apply([StatusUpdate(task_id=running["id"], status=TaskStatus.IN_PROGRESS)])
    for path in (f"/api/groups/{group['id']}/cancel", f"/cancel/{group['id']}"):
        told = client.post(path).json
        assert told == {"cancelled": 1, "running": 1, "done": 1, "failed": 0}
    states = {task["id"]: task for task in client.get(f"/api/groups/{group['id']}").json["group"]["tasks"]}
    assert states[waiting["id"]]["status"] == "CANCELLED"
    assert states[running["id"]]["cancel_requested_at"]
    asked = StatusUpdate(task_id=waiting["id"], status=TaskStatus.IN_PROGRESS)
    assert not parts.store.apply([asked])[0].run


def test_the_archive_holds_what_is_done_so_far(
    client: FlaskClient, parts: Services, images: list[str]
) -> None:
    group = client.post("/api/groups", json=_body(images)).json["group"]
    assert client.get(group["archive_url"]).status_code == 404
    for task in group["tasks"][:2]:
        _end(parts, client, task)
    answer = client.get(group["archive_url"])
    assert answer.content_type == "application/zip"
    assert len(answer.data) == int(answer.headers["Content-Length"])
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.namelist() == ["001-a-b.png", "002-a-b.png"]
        assert archive.read("001-a-b.png") == b"result"


@pytest.mark.parametrize("name", ["../../x.png", "C:\\x.png", "..", "", "a/b", "con\x00.png", "x" * 500])
def test_a_name_in_the_archive_leads_nowhere(name: str) -> None:
    entry = entry_name(7, name, "JPEG")
    assert entry.startswith("007-")
    assert entry.endswith(".jpg")
    assert not set(entry) & set("/\\:\x00")
    assert ".." not in entry
    assert len(entry) < 80


def test_a_group_sent_again_under_its_key_is_the_same_group(client: FlaskClient, images: list[str]) -> None:
    headers = {"Idempotency-Key": "once"}
    first = client.post("/api/groups", json=_body(images), headers=headers).json["group"]
    again = client.post("/api/groups", json=_body(images), headers=headers).json["group"]
    assert first["id"] == again["id"]
    other = client.post("/api/groups", json=_body(images[:1]), headers=headers)
    assert other.status_code == 409


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"images": []}, "images"),
        ({"images": ["nonsense"]}, "images"),
        ({"images": ["x\u0000"]}, "images"),
        ({"method": "sync"}, "method"),
        ({"operation": {"name": "explode"}}, "operation.name"),
        ({"operation": {"name": "blur", "radius": 1000}}, "operation.radius"),
        ({"operation": {"name": "watermark"}}, "text"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_group_that_breaks_its_bounds_is_refused_by_name(
    client: FlaskClient, images: list[str], changes: dict[str, Any], field: str
) -> None:
    answer = client.post("/api/groups", json=_body(images, changes))
    assert answer.status_code == 422
    assert any(field in error["field"] for error in answer.json["errors"]), answer.json


def test_an_upload_in_the_plain_route_is_worked_on_and_another_id_waits(
    client: FlaskClient, images: list[str]
) -> None:
    body = {"images": [images[0], "a.jpg"], "operation": {"name": "rotate", "degrees": 180}}
    group_id = client.post("/process_images", json=body).json["group_id"]
    first, second = client.get(f"/api/groups/{group_id}").json["group"]["tasks"]
    assert first["method"] == second["method"] == "celery"
    assert first["timeout"] is None
    assert 5 <= second["timeout"] <= 15
    bad = client.post("/process_images", json={**body, "operation": {"name": "explode"}})
    assert bad.status_code == 400
    assert "operation" in bad.json["error"]


def test_a_group_that_is_none_is_not_found(client: FlaskClient) -> None:
    for path in ("/api/groups/nonsense", "/api/groups/nonsense/results.zip"):
        assert client.get(path).status_code == 404
    assert client.post("/api/groups/nonsense/cancel").status_code == 404


def test_a_claim_takes_a_group_as_a_whole(client: FlaskClient, parts: Services, images: list[str]) -> None:
    for _ in range(2):
        client.post("/api/groups", json=_body(images))
    claimed = parts.outbox.claim(parts.relay.name, "rabbitmq", 2)
    assert len(claimed) == 3
    assert len({row["group_id"] for row in claimed}) == 1
