"""Uploads, and the worker's way to a task's files."""

import io
import os
import time
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from api import LabAPI
from api.services import Services
from lab.status import StatusUpdate, TaskStatus
from lab.token import sign
from tests.pictures import corners, encode


def _send(client: FlaskClient, *files: tuple[bytes, str]) -> Any:
    data = {"files": [(io.BytesIO(content), name) for content, name in files]}
    return client.post("/api/images", data=data, content_type="multipart/form-data")


def _uploads(parts: Services) -> list[Path]:
    return sorted((parts.settings.images / "uploads").glob("*"))


def _group(client: FlaskClient, method: str = "celery") -> dict[str, Any]:
    image = _send(client, (encode(corners(), "PNG"), "one.png")).json["images"][0]
    body = {"method": method, "images": [image["id"]], "operation": {"name": "grayscale"}}
    group: dict[str, Any] = client.post("/api/groups", json=body).json["group"]
    return group


def _bearer(parts: Services, task_id: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {sign(parts.secret, task_id)}"}


def test_an_upload_is_kept_and_told(client: FlaskClient, parts: Services) -> None:
    content = encode(corners(90, 60), "JPEG")
    answer = _send(client, (content, "holiday.jpg"))
    assert answer.status_code == 201
    (image,) = answer.json["images"]
    expected = {"name": "holiday.jpg", "format": "JPEG", "width": 90, "height": 60, "bytes": len(content)}
    assert {name: image[name] for name in expected} == expected
    assert [path.read_bytes() for path in _uploads(parts)] == [content]
    assert _uploads(parts)[0].name == image["id"]


def test_a_file_that_lacks_only_its_trailer_is_made_whole_and_that_is_told(
    client: FlaskClient, parts: Services
) -> None:
    whole = encode(corners(), "PNG")
    answer = _send(client, (whole, "a.png"), (whole[:-12], "b.png"))
    assert answer.status_code == 201
    assert answer.json["completed"] == [answer.json["images"][1]["id"]]
    assert [path.read_bytes() for path in _uploads(parts)] == [whole, whole]


def test_bad_files_are_named_and_the_good_ones_of_the_same_upload_kept(
    client: FlaskClient, parts: Services
) -> None:
    good = encode(corners(), "PNG")
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    answer = _send(
        client, (good, "a.png"), (svg, "b.png"), (good[:-20], "c.png"), (b"", "d.png"), (good, "e.png")
    )
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert [image["name"] for image in answer.json["images"]] == ["a.png", "e.png"]
    told = [(error["field"], error["name"], error["code"]) for error in answer.json["errors"]]
    assert told == [
        ("files.1", "b.png", "not_an_image"),
        ("files.2", "c.png", "truncated"),
        ("files.3", "d.png", "empty"),
    ]
    assert "b.png" in answer.json["detail"]
    assert len(_uploads(parts)) == 2
    assert not list((parts.settings.images / "incoming").iterdir())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\win.ini", None),
        ("/root/.ssh/id", "id"),
        ("..", "image"),
        ("ж" * 300 + ".png", "ж" * 120),
        ("<script>.png", "<script>.png"),
    ],
)
def test_names_are_shown_and_never_touch_the_file_system(
    client: FlaskClient, parts: Services, name: str, shown: str | None
) -> None:
    answer = _send(client, (encode(corners(), "PNG"), name))
    assert answer.status_code == 201
    (image,) = answer.json["images"]
    if shown is not None:
        assert image["name"] == shown
    assert image["name"].isprintable()
    assert "/" not in image["name"]
    assert [path.name for path in _uploads(parts)] == [image["id"]]


def test_more_files_than_the_bound_are_refused_and_none_kept(client: FlaskClient, parts: Services) -> None:
    pixel = encode(Image.new("1", (1, 1)), "PNG")
    answer = _send(client, *[(pixel, f"{i}.png") for i in range(200)])
    assert answer.status_code == 413
    assert answer.json["errors"] == [
        {"field": "files", "message": "takes at most 100 files, not 200", "bound": 100}
    ]
    assert not _uploads(parts)
    assert not list((parts.settings.images / "incoming").iterdir())


def test_a_file_beyond_the_megabytes_is_refused(make_app: Any, client: FlaskClient) -> None:
    small = make_app(upload_megabytes=0.01).test_client()
    small.application.config["WTF_CSRF_ENABLED"] = False
    noise = encode(Image.effect_noise((200, 200), 90), "PNG")
    answer = _send(small, (noise, "noise.png"), (encode(corners(), "PNG"), "good.png"))
    assert answer.status_code == 422
    assert answer.json["errors"] == [
        {
            "field": "files.0",
            "name": "noise.png",
            "message": "it has more than 0.01 MB",
            "code": "too_large",
            "bound": 0.01,
        }
    ]
    assert [image["name"] for image in answer.json["images"]] == ["good.png"]


def test_a_body_that_is_no_form_or_has_no_files_is_refused(client: FlaskClient) -> None:
    assert client.post("/api/images", json={"files": []}).status_code == 415
    answer = client.post("/api/images", data={"other": "x"}, content_type="multipart/form-data")
    assert answer.status_code == 422


def test_a_worker_fetches_and_delivers_with_its_tasks_token(client: FlaskClient, parts: Services) -> None:
    task = _group(client)["tasks"][0]
    token = _bearer(parts, task["id"])
    fetched = client.get(f"/api/tasks/{task['id']}/input", headers=token, buffered=True)
    assert fetched.status_code == 200
    assert fetched.content_type == "image/png"
    delivered = client.put(f"/api/tasks/{task['id']}/output/result", data=fetched.data, headers=token)
    assert delivered.status_code == 204
    result = {"image": task["image"]["id"], "format": "PNG"}
    parts.store.apply([StatusUpdate(task_id=task["id"], status=TaskStatus.DONE, result=result)])
    shown = client.get(f"/api/tasks/{task['id']}/result", buffered=True)
    assert shown.data == fetched.data
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert (
        "one.png"
        in client.get(f"/api/tasks/{task['id']}/result?download=1", buffered=True).headers[
            "Content-Disposition"
        ]
    )
    late = client.put(f"/api/tasks/{task['id']}/output/result", data=b"x", headers=token)
    assert late.status_code == 409


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer nonsense", "Basic eDp5"])
def test_without_the_tasks_own_token_its_files_stay_shut(client: FlaskClient, token: str) -> None:
    task = _group(client)["tasks"][0]
    headers = {"Authorization": token} if token else {}
    assert client.get(f"/api/tasks/{task['id']}/input", headers=headers).status_code == 403
    answer = client.put(f"/api/tasks/{task['id']}/output/result", data=b"x", headers=headers)
    assert answer.status_code == 403


def test_another_tasks_token_opens_nothing(client: FlaskClient, parts: Services) -> None:
    mine, other = _group(client)["tasks"][0], _group(client)["tasks"][0]
    headers = _bearer(parts, other["id"])
    assert client.get(f"/api/tasks/{mine['id']}/input", headers=headers).status_code == 403


@pytest.mark.parametrize("part", ["other", "..", "results"])
def test_only_result_and_preview_are_delivered(client: FlaskClient, parts: Services, part: str) -> None:
    task = _group(client)["tasks"][0]
    headers = _bearer(parts, task["id"])
    answer = client.put(f"/api/tasks/{task['id']}/output/{part}", data=b"x", headers=headers)
    assert answer.status_code in (404, 422)


def test_workers_need_no_login_for_their_files(make_app: Any, client: FlaskClient, parts: Services) -> None:
    task = _group(client)["tasks"][0]
    locked: LabAPI = make_app(user="ada", password="long enough")
    answer = locked.test_client().get(
        f"/api/tasks/{task['id']}/input", headers=_bearer(parts, task["id"]), buffered=True
    )
    assert answer.status_code == 200
    assert locked.test_client().get(f"/api/tasks/{task['id']}/result").status_code == 401


def test_what_a_task_has_not_made_is_not_there(client: FlaskClient) -> None:
    for task_id in (_group(client)["tasks"][0]["id"], "nonsense", "..%2f..%2fsecret_key"):
        for part in ("result", "preview"):
            assert client.get(f"/api/tasks/{task_id}/{part}").status_code == 404


def test_uploads_and_results_expire(client: FlaskClient, parts: Services) -> None:
    task = _group(client)["tasks"][0]
    headers = _bearer(parts, task["id"])
    client.put(f"/api/tasks/{task['id']}/output/preview", data=b"small", headers=headers)
    parts.sweeper.step()
    assert client.get(f"/api/tasks/{task['id']}/input", headers=headers, buffered=True).status_code == 200
    old = time.time() - 25 * 3600
    for path in parts.settings.images.glob("*/*"):
        os.utime(path, (old, old))
    parts.sweeper.step()
    assert not list(parts.settings.images.glob("*/*"))
    answer = client.get(f"/api/tasks/{task['id']}/input", headers=headers)
    assert answer.status_code == 404
    assert "expired" in answer.json["detail"]
    again = {"method": "celery", "images": [task["image"]["id"]], "operation": {"name": "grayscale"}}
    assert "expired" in client.post("/api/groups", json=again).json["detail"]
