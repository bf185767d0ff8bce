"""The pages of images, as the server writes them in each of their states."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from api import LabAPI
from api.images.pages import MOST_NAMED
from api.services import Services
from lab.jobs.images import Operation
from lab.status import TaskStatus
from tests.pictures import corners, encode
from tests.unit.api.tasks.test_pages import EVIL, config_of, move, text_of

PNG = encode(corners(), "PNG")
FORM = {"operation": "thumbnail", "size": "64", "method": "celery", "key": "12345678"}


def send(client: FlaskClient, *files: tuple[str, bytes], **fields: str) -> TestResponse:
    """The form as a browser without JavaScript sends it."""
    parts: dict[str, Any] = {**FORM, **fields}
    parts["files"] = [FileStorage(io.BytesIO(data), name) for name, data in files or [("", b"")]]
    boundary, body = encode_multipart(parts)
    return client.post("/images", data=body, content_type=f"multipart/form-data; boundary={boundary}")


def group_of(client: FlaskClient, count: int = 2, **fields: str) -> str:
    """Sends a group of `count` images and returns its id."""
    answer = send(client, *((f"photo-{n}.png", PNG) for n in range(count)), **fields)
    assert answer.status_code == 303, answer.text
    return str(answer.location.rpartition("/")[2])


def deliver(parts: Services, task: dict[str, Any]) -> None:
    """The task's result and its preview, as a worker brings them, and that it is DONE."""
    move(parts, task, TaskStatus.IN_PROGRESS, attempt=1)
    for part, data in (("result", PNG), ("preview", encode(corners(), "WEBP"))):
        path = parts.image_files.made(task["id"], part)  # type: ignore[arg-type]
        path.write_bytes(data)
    result = {
        "image": task["params"]["image_id"],
        "format": "PNG",
        "width": 64,
        "height": 43,
        "bytes": len(PNG),
    }
    move(parts, task, TaskStatus.DONE, 2, attempt=1, result=result)


def tiles_of(page: str) -> list[dict[str, str]]:
    tags = re.findall(r'<li class="tile" [^>]*>', page)
    return [dict(re.findall(r'data-([a-z-]+)="([^"]*)"', tag)) for tag in tags]


def test_a_file_that_lacks_its_trailer_is_taken_and_the_groups_page_says_so(client: FlaskClient) -> None:
    answer = send(client, ("a.png", PNG), ("cut.png", PNG[:-12]))
    assert answer.status_code == 303
    page = text_of(client.get(answer.location).text)
    assert "cut.png lacked its end mark, which was added." in page
    assert "Not taken" not in page


def test_without_groups_the_page_says_what_to_do(client: FlaskClient) -> None:
    page = client.get("/images").text
    assert "No groups yet." in text_of(page)
    assert re.search(r'id="groups" hidden', page)
    assert "At most 100 images, each of at most 50 MB and 64 megapixels. Kept for 24 h." in text_of(page)


def test_the_form_works_as_a_plain_form_and_has_every_operation(client: FlaskClient) -> None:
    page = client.get("/images").text
    form = page[page.index('id="form-images"') : page.index("</form>", page.index('id="form-images"'))]
    assert 'enctype="multipart/form-data"' in form
    assert re.search(r'<input type="file" [^>]*name="files" multiple accept="image/png,image/jpeg', form)
    assert set(re.findall(r'name="operation" value="(\w+)"', form)) == set(
        Operation.model_json_schema()["properties"]["name"]["enum"]
    )
    assert re.findall(r'name="method" value="(\w+)"', form) == ["celery", "rabbitmq"]
    for field in ("csrf_token", "key", "size", "radius", "degrees", "text"):
        assert f'name="{field}"' in form


def test_the_header_leads_to_the_page(client: FlaskClient) -> None:
    assert '<a href="/images">Images</a>' in client.get("/").text


@pytest.mark.parametrize("method", ["celery", "rabbitmq"])
@pytest.mark.parametrize(
    ("fields", "operation", "title"),
    [
        ({"operation": "thumbnail", "size": "64"}, {"name": "thumbnail", "size": 64}, "Thumbnail, 64 px"),
        ({"operation": "grayscale"}, {"name": "grayscale"}, "Grayscale"),
        ({"operation": "blur", "radius": "2,5"}, {"name": "blur", "radius": 2.5}, "Blur, 2.5 px"),
        ({"operation": "rotate", "degrees": "270"}, {"name": "rotate", "degrees": 270}, "Turn by 270°"),
        ({"operation": "watermark", "text": " Ж "}, {"name": "watermark", "text": "Ж"}, "Watermark “Ж”"),
    ],
)
def test_a_form_becomes_one_group_with_its_operation(
    client: FlaskClient,
    parts: Services,
    method: str,
    fields: dict[str, str],
    operation: dict[str, Any],
    title: str,
) -> None:
    group_id = group_of(client, method=method, **fields)
    row = parts.groups.rows.get(group_id)
    assert row is not None
    assert (row["method"], row["operation"], row["count"]) == (method, operation, 2)
    page = client.get(f"/images/{group_id}").text
    assert f"<title>{title} · Transport Lab</title>" in page
    assert title in text_of(client.get("/images").text)
    assert [tile["method"] for tile in tiles_of(page)] == [method, method]


def test_fields_of_other_operations_do_not_count(client: FlaskClient, parts: Services) -> None:
    group_id = group_of(client, operation="grayscale", size="nonsense", radius="", text="x" * 500)
    row = parts.groups.rows.get(group_id)
    assert row is not None
    assert row["operation"] == {"name": "grayscale"}


@pytest.mark.parametrize(
    ("fields", "name", "words"),
    [
        ({"size": "15"}, "size", "A whole number from 16 to 2,048."),
        ({"size": ""}, "size", "A whole number from 16 to 2,048."),
        ({"operation": "blur", "radius": "nan"}, "radius", "A number from 0.5 to 50."),
        ({"operation": "rotate", "degrees": "45"}, "degrees", "One of these: 90, 180, 270."),
        ({"operation": "watermark", "text": "  "}, "text", "A line of text, at most 80 characters."),
        ({"operation": "sharpen"}, "form", "One of these: thumbnail, grayscale, blur, rotate, watermark."),
    ],
)
def test_a_field_that_is_wrong_is_named_and_the_choice_kept(
    client: FlaskClient, parts: Services, fields: dict[str, str], name: str, words: str
) -> None:
    answer = send(client, ("a.png", PNG), **{**fields, "method": "rabbitmq"})
    assert answer.status_code == 422
    if name == "form":
        assert re.search(rf'data-tone="error">{re.escape(words)}', answer.text)
    else:
        assert f'data-error="{name}">{words}' in answer.text
    assert re.search(r'value="rabbitmq" id="by-rabbitmq" checked', answer.text)
    assert parts.groups.rows.recent(10) == []


def test_without_files_nothing_is_sent(client: FlaskClient, parts: Services) -> None:
    answer = send(client)
    assert answer.status_code == 422
    assert "Choose at least one image first." in text_of(answer.text)
    assert parts.groups.rows.recent(10) == []


def test_too_many_files_are_refused_with_their_number(make_app: Callable[..., LabAPI]) -> None:
    app = make_app(upload_count=3)
    app.config["WTF_CSRF_ENABLED"] = False
    answer = send(app.test_client(), *[("a.png", PNG)] * 4)
    assert answer.status_code == 413
    assert "Too many files: 4. One group takes 3 at most." in text_of(answer.text)


def test_more_than_an_upload_may_have_is_answered_with_the_page(make_app: Callable[..., LabAPI]) -> None:
    app = make_app(upload_count=1, upload_megabytes=0.01)
    for protected in (True, False):  # the first reader of the form is another one
        app.config["WTF_CSRF_ENABLED"] = protected
        answer = send(app.test_client(), ("a.png", b"x" * 1_200_000))
        assert answer.status_code == 413
        assert "That is too much at once. Choose fewer or smaller files." in text_of(answer.text)


def test_an_upload_may_be_larger_than_other_forms(make_app: Callable[..., LabAPI]) -> None:
    client = make_app().test_client()
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/images").text)
    assert token
    answer = send(client, ("a.png", PNG + b"x" * 3_000_000), ("b.png", PNG), csrf_token=token[1])
    assert answer.status_code == 303
    assert send(client, ("a.png", PNG)).status_code == 400


def test_a_full_disk_is_told_in_words(
    client: FlaskClient, parts: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.images.files.LEAST_FREE_BYTES", 2**62)
    answer = send(client, ("a.png", PNG))
    assert answer.status_code == 507
    assert "disk is full" in text_of(answer.text)


def test_bad_files_are_named_on_the_page_of_the_good_ones(client: FlaskClient) -> None:
    answer = send(client, ("good.png", PNG), ("notes.png", b"text"), ("../../empty.png", b""))
    assert answer.status_code == 303
    page = client.get(answer.location).text
    assert len(tiles_of(page)) == 1
    assert "Not taken: notes.png. This is not an image. Choose a PNG" in text_of(page)
    assert "Not taken: empty.png. The file is empty." in text_of(page)
    assert "Not taken" not in text_of(client.get(answer.location).text)


def test_many_bad_files_still_fit_into_the_message(client: FlaskClient) -> None:
    answer = send(client, ("good.png", PNG), *[(f"{'ы' * 200}{n}.png", b"x") for n in range(60)])
    assert len(answer.headers["Set-Cookie"]) < 4000
    text = text_of(client.get(answer.location).text)
    assert text.count("Not taken: ") == MOST_NAMED
    assert f"{60 - MOST_NAMED} more files were rejected." in text


def test_where_no_file_is_good_the_page_comes_again_with_the_reasons(
    client: FlaskClient, parts: Services
) -> None:
    answer = send(client, (EVIL, b"text"), ("cut.png", PNG[:60]), operation="blur", radius="7")
    assert answer.status_code == 422
    assert "None of these files was taken." in text_of(answer.text)
    assert "cut.png The image is damaged or cut short." in text_of(answer.text)
    assert 'name="radius"' in answer.text
    assert 'value="7"' in answer.text
    assert "<script>alert" not in answer.text
    assert parts.groups.rows.recent(10) == []


def test_the_same_form_twice_is_one_group(client: FlaskClient, parts: Services) -> None:
    first, second = (send(client, ("a.png", PNG)) for _ in range(2))
    assert first.location == second.location
    assert len(parts.groups.rows.recent(10)) == 1
    assert group_of(client, key="another-key") not in first.location


def test_a_form_without_a_known_method_is_refused(client: FlaskClient) -> None:
    assert send(client, ("a.png", PNG), method="sync").status_code == 400


def test_recent_groups_are_listed_newest_first_with_what_they_came_to(
    client: FlaskClient, parts: Services
) -> None:
    older = group_of(client, 3, key="first-key")
    newer = group_of(client, 1, key="second-key", method="rabbitmq")
    tasks = parts.groups.rows.tasks(older)
    deliver(parts, tasks[0])
    move(parts, tasks[1], TaskStatus.IN_PROGRESS, attempt=1)
    move(parts, tasks[1], TaskStatus.FAILED, 1, attempt=1, error="no")
    page = client.get("/images").text
    assert re.findall(r'<li class="group" data-group-id="([^"]+)" data-method="(\w+)"', page) == [
        (newer, "rabbitmq"),
        (older, "celery"),
    ]
    assert "Celery 3 images 1 of 3 done · 1 failed" in text_of(page)
    assert "RabbitMQ 1 image 0 of 1 done" in text_of(page)
    widths = re.findall(r'data-part="(\w+)" x="([\d.]+)%" width="([\d.]+)%"', page)[4:]
    assert widths[:2] == [("DONE", "0", "33.333"), ("FAILED", "33.333", "33.333")]


def test_a_tile_waits_then_shows_its_result(client: FlaskClient, parts: Services) -> None:
    group_id = group_of(client)
    page = client.get(f"/images/{group_id}").text
    assert [tile["status"] for tile in tiles_of(page)] == ["PENDING", "PENDING"]
    assert "120 × 80" in text_of(page)
    assert 'viewBox="0 0 120 80"' in page
    assert re.search(r'id="archive" [^>]*hidden', page)
    task = parts.groups.rows.tasks(group_id)[0]
    deliver(parts, task)
    page = client.get(f"/images/{group_id}").text
    assert [tile["status"] for tile in tiles_of(page)] == ["DONE", "PENDING"]
    assert f'<img src="/api/tasks/{task["id"]}/preview" alt="Result of photo-0.png" loading="lazy"' in page
    assert f'href="/api/tasks/{task["id"]}/result?download=1"' in page
    assert "Download all as ZIP 1" in text_of(page)
    assert f'<a href="/tasks/{task["id"]}">#{task["num"]}</a>' in page
    assert "1 of 2 done" in text_of(page)


def test_a_tile_that_failed_says_why(client: FlaskClient, parts: Services) -> None:
    group_id = group_of(client, 1)
    (task,) = parts.groups.rows.tasks(group_id)
    move(parts, task, TaskStatus.IN_PROGRESS, attempt=1)
    move(parts, task, TaskStatus.FAILED, 1, attempt=1, error=f"BadImage: {EVIL}")
    page = client.get(f"/images/{group_id}").text
    assert "BadImage:" in page
    assert "<script>alert" not in page
    assert "data-ended" in page


def test_expired_results_are_told_in_words(client: FlaskClient, parts: Services) -> None:
    group_id = group_of(client, 1)
    (task,) = parts.groups.rows.tasks(group_id)
    deliver(parts, task)
    assert "expired" not in text_of(client.get(f"/images/{group_id}").text)
    for part in ("result", "preview"):
        parts.image_files.made(task["id"], part).unlink()  # type: ignore[arg-type]
    page = client.get(f"/images/{group_id}").text
    assert "The results have expired: they are kept for 24 h." in text_of(page)
    assert re.search(r'id="archive" [^>]*hidden', page)
    assert f"/api/tasks/{task['id']}/preview" not in page


def test_a_group_that_only_waits_is_shown_with_placeholders(client: FlaskClient, parts: Services) -> None:
    group_id = client.post("/process_images", json={"images": ["a.jpg", EVIL]}).json["group_id"]  # type: ignore[index]
    page = client.get(f"/images/{group_id}").text
    assert "Waiting in place of images" in text_of(page)
    assert "a.jpg" in text_of(page)
    assert "<script>alert" not in page
    assert page.count('href="#m-image"') == 2
    for task in parts.groups.rows.tasks(group_id):
        move(parts, task, TaskStatus.IN_PROGRESS, attempt=1)
        move(parts, task, TaskStatus.DONE, 1, attempt=1, result="Image a.jpg processed")
    text = text_of(client.get(f"/images/{group_id}").text)
    assert "2 of 2 done" in text
    assert "expired" not in text


def test_cancelling_says_what_it_found(client: FlaskClient, parts: Services) -> None:
    group_id = group_of(client, 4)
    tasks = parts.groups.rows.tasks(group_id)
    deliver(parts, tasks[0])
    move(parts, tasks[1], TaskStatus.IN_PROGRESS, attempt=1)
    answer = client.post(f"/images/{group_id}/cancel")
    assert (answer.status_code, answer.location) == (303, f"/images/{group_id}")
    text = text_of(client.get(answer.location).text)
    assert "Cancelled before they began: 2. Running, now being stopped: 1. Done before: 1." in text
    assert "1 of 4 done · 1 being worked on · 2 cancelled" in text
    move(parts, tasks[1], TaskStatus.CANCELLED, 3, attempt=1)
    assert re.search(r'<form id="form-cancel"[^>]* hidden>', client.get(answer.location).text)


def test_a_script_that_cancels_is_answered_with_json(client: FlaskClient, parts: Services) -> None:
    group_id = group_of(client, 1)
    (task,) = parts.groups.rows.tasks(group_id)
    deliver(parts, task)
    answer = client.post(f"/images/{group_id}/cancel", headers={"Accept": "application/json"})
    assert answer.get_json() == {"message": "All images of this group had ended before.", "ok": True}


@pytest.mark.parametrize("group_id", ["nothing", "00000000-0000-4000-8000-000000000000", "a%00b"])
def test_a_group_that_does_not_exist_is_not_found(client: FlaskClient, group_id: str) -> None:
    answer = client.get(f"/images/{group_id}")
    assert answer.status_code == 404
    assert "There is no such page" in text_of(answer.text)
    assert client.post(f"/images/{group_id}/cancel").status_code == 404


def test_a_task_of_a_group_leads_to_it_and_shows_its_image(client: FlaskClient, parts: Services) -> None:
    group_id = group_of(client, 1)
    (task,) = parts.groups.rows.tasks(group_id)
    assert (
        f'<a class="job-kind" href="/images/{group_id}"><code>process_image</code></a>'
        in client.get("/").text
    )
    page = client.get(f"/tasks/{task['id']}").text
    assert f'href="/images/{group_id}"' in page
    assert "/preview" not in page
    deliver(parts, task)
    page = client.get(f"/tasks/{task['id']}").text
    assert f'<img src="/api/tasks/{task["id"]}/preview" alt="Result of task #{task["num"]}"' in page


def test_scripts_are_told_where_to_send_and_what_to_say(client: FlaskClient) -> None:
    config = config_of(client.get("/images").text)
    assert (config["uploadUrl"], config["groupsUrl"]) == ("/api/images", "/api/groups")
    assert (config["mostFiles"], config["mostBytes"]) == (100, 50_000_000)
    assert set(config["images"]["reasons"]) >= {"empty", "not_an_image", "truncated", "too_large"}
    group = config_of(client.get(f"/images/{group_of(client)}").text)
    assert group["previewUrl"] == "/api/tasks/ID/preview"
    assert group["groupDataUrl"].endswith(group["groupId"])


def test_no_page_of_images_has_inline_scripts_or_styles(client: FlaskClient) -> None:
    for path in ("/images", f"/images/{group_of(client)}"):
        assert not re.search(r"<[^>]+\s(style|on\w+)=", client.get(path).text)


def test_the_pages_of_images_are_russian_for_russian_readers(client: FlaskClient, parts: Services) -> None:
    russian = {"Accept-Language": "ru"}
    group_id = group_of(client, 5)
    deliver(parts, parts.groups.rows.tasks(group_id)[0])
    text = text_of(client.get("/images", headers=russian).text)
    for words in ("Изображения", "Перетащите изображения", "5 изображений", "готово 1 из 5"):
        assert words in text
    text = text_of(client.get(f"/images/{group_id}", headers=russian).text)
    for words in ("Миниатюра, 64 пикс.", "Скачать всё в ZIP", "Отменить группу"):
        assert words in text
