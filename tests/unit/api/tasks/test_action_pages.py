"""Cancelling and sending again, from pages."""

import html
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.services import Services
from api.web import wording
from lab.delivery import Delivery
from lab.status import TaskStatus
from store.tasks import NewTask, Row
from tests.unit.api.tasks.test_pages import EVIL, add, move, rows_of, text_of

JSON = {"Accept": "application/json"}
CANCELLABLE = (TaskStatus.PENDING, TaskStatus.IN_PROGRESS, TaskStatus.RETRYING)


def at(parts: Services, status: TaskStatus, method: str = "celery") -> Row:
    """A task that stands at `status`."""
    (row,) = add(parts, method)
    if status is not TaskStatus.PENDING:
        move(parts, row, TaskStatus.IN_PROGRESS, worker="one@host")
    if status not in (TaskStatus.PENDING, TaskStatus.IN_PROGRESS):
        move(parts, row, status, 1.0)
    return row


def button_of(page: str, row: Row) -> str:
    """The tag of the button that does something to `row`, or nothing where it is hidden."""
    body = page.partition("<template")[0]
    tags = re.findall(r"<button[^>]*form=\"act\"[^>]*>", body)
    (tag,) = [tag for tag in tags if f"/tasks/{row['id']}/" in tag] or [" hidden>"]
    return "" if tag.endswith(" hidden>") else tag


@pytest.mark.parametrize("path", ["/", "/tasks/{id}"])
@pytest.mark.parametrize("status", list(TaskStatus))
def test_each_status_offers_what_can_be_done(
    client: FlaskClient, parts: Services, status: TaskStatus, path: str
) -> None:
    row = at(parts, status)
    button = button_of(client.get(path.format(id=row["id"])).text, row)
    if status in CANCELLABLE:
        assert f'formaction="/tasks/{row["id"]}/cancel"' in button
        assert f'aria-label="Cancel task #{row["num"]}"' in button
    elif status is TaskStatus.DONE:
        assert button == ""
    else:
        assert f'formaction="/tasks/{row["id"]}/retry"' in button
        assert f'aria-label="Send again: task #{row["num"]}"' in button


def test_the_names_of_the_buttons_are_russian_for_russian_readers(
    client: FlaskClient, parts: Services
) -> None:
    row = at(parts, TaskStatus.PENDING)
    page = client.get("/", headers={"Accept-Language": "ru"}).text
    assert f'aria-label="Отменить задачу №{row["num"]}"' in page


def test_a_waiting_task_is_cancelled_at_once_without_scripts(client: FlaskClient, parts: Services) -> None:
    row = at(parts, TaskStatus.PENDING)
    answer = client.post(f"/tasks/{row['id']}/cancel", data={"next": "/?status=PENDING#tasks"})
    assert (answer.status_code, answer.location) == (303, "/?status=PENDING#tasks")
    page = client.get("/").text
    assert f"Cancelled: task #{row['num']}." in text_of(page)
    assert rows_of(page)[0]["status"] == "CANCELLED"
    told = text_of(client.get(f"/tasks/{row['id']}").text)
    assert re.search(r"Cancellation requested at [\d:.]+ UTC, before it began: it was not run\.", told)


def test_a_running_task_says_that_its_cancellation_is_requested(client: FlaskClient, parts: Services) -> None:
    row = at(parts, TaskStatus.IN_PROGRESS)
    answer = client.post(f"/tasks/{row['id']}/cancel")
    assert (answer.status_code, answer.location) == (303, f"/tasks/{row['id']}")
    page = client.get(answer.location).text
    told = text_of(page)
    assert f"The cancellation of task #{row['num']} is requested." in told
    assert re.search(r"Cancellation requested at [\d:.]+ UTC\. Its worker is told, and may finish", told)
    assert button_of(page, row) == ""
    table = client.get("/").text
    assert "IN_PROGRESS cancellation requested" in text_of(table)
    assert "data-cancel" in re.findall(r"<tr [^>]*data-task-id=[^>]*>", table)[0]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (TaskStatus.CANCELLED, "stopped at"),
        (TaskStatus.DONE, "but it finished first, at"),
        (TaskStatus.FAILED, "but it finished first, at"),
    ],
)
def test_how_a_cancellation_came_out_is_told_honestly(
    client: FlaskClient, parts: Services, status: TaskStatus, told: str
) -> None:
    row = at(parts, TaskStatus.IN_PROGRESS)
    client.post(f"/tasks/{row['id']}/cancel")
    move(parts, row, status, 5.0)
    text = text_of(client.get(f"/tasks/{row['id']}").text)
    assert re.search(rf"Cancellation requested at [\d:.]+ UTC, {told} [\d:.]+ UTC\.", text)
    assert "cancellation requested" not in text_of(client.get("/").text)


@pytest.mark.parametrize("status", [TaskStatus.FAILED, TaskStatus.CANCELLED])
def test_what_did_not_come_to_its_end_is_sent_once_more_as_a_new_task(
    client: FlaskClient, parts: Services, status: TaskStatus
) -> None:
    row = at(parts, status)
    answer = client.post(f"/tasks/{row['id']}/retry")
    assert answer.status_code == 303
    page = client.get(answer.location).text
    assert "Task #1 was sent again as task #2." in text_of(page)
    assert re.search(rf'href="/tasks/{row["id"]}">after task #1</a>', page)
    assert parts.store.get(row["id"])["status"] == status  # type: ignore[index]
    assert [shown["status"] for shown in rows_of(client.get("/").text)] == ["PENDING", status]


@pytest.mark.parametrize(
    ("action", "status", "told"),
    [
        ("cancel", TaskStatus.DONE, "Task #1 has ended before: DONE."),
        ("cancel", TaskStatus.CANCELLED, "Task #1 has ended before: CANCELLED."),
        ("retry", TaskStatus.DONE, "Task #1 is DONE: only FAILED or CANCELLED tasks can be sent again."),
        ("retry", TaskStatus.PENDING, "Task #1 is PENDING: only FAILED or CANCELLED"),
    ],
)
def test_what_a_status_forbids_is_refused_with_the_reason(
    client: FlaskClient, parts: Services, action: str, status: TaskStatus, told: str
) -> None:
    row = at(parts, status)
    answer = client.post(f"/tasks/{row['id']}/{action}", headers=JSON)
    assert answer.status_code == 409
    assert answer.json["ok"] is False
    assert told in answer.json["message"]
    page = client.post(f"/tasks/{row['id']}/{action}", follow_redirects=True).text
    assert told in text_of(page)
    assert 'data-tone="error"' in page
    assert sum(parts.store.counts().values()) == 1


def test_a_script_gets_the_message_and_the_task(client: FlaskClient, parts: Services) -> None:
    row = at(parts, TaskStatus.PENDING)
    answer = client.post(f"/tasks/{row['id']}/cancel", headers={**JSON, "Accept-Language": "ru"})
    assert answer.status_code == 202
    assert answer.json["message"] == "Отменена задача №1."
    assert (answer.json["ok"], answer.json["task"]["status"]) == (True, "CANCELLED")
    answer = client.post(f"/tasks/{row['id']}/retry", headers=JSON)
    assert answer.json["task"]["retry_of"] == row["id"]


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_a_task_that_does_not_exist_is_not_found(client: FlaskClient, action: str) -> None:
    answer = client.post(f"/tasks/none/{action}")
    assert answer.status_code == 404
    assert "There is no such task" in answer.text
    answer = client.post(f"/tasks/none/{action}", headers=JSON)
    assert (answer.status_code, answer.json["ok"]) == (404, False)


@pytest.mark.parametrize("target", ["https://example.org/", "//example.org", "/\\example.org"])
def test_an_action_never_leads_away(client: FlaskClient, parts: Services, target: str) -> None:
    row = at(parts, TaskStatus.PENDING)
    answer = client.post(f"/tasks/{row['id']}/cancel", data={"next": target})
    assert answer.location == f"/tasks/{row['id']}"


def test_rows_show_attempts_errors_and_naive_delivery(client: FlaskClient, parts: Services) -> None:
    new = NewTask("celery", "flaky_task", {"timeout": 0.0, "times": 2}, 0.0, Delivery.NAIVE)
    (row,) = parts.store.add(new).rows
    move(parts, row, TaskStatus.IN_PROGRESS, attempt=1)
    move(parts, row, TaskStatus.RETRYING, 0.1, attempt=1, error="TemporaryError: one")
    text = text_of(client.get("/").text).replace("\N{NO-BREAK SPACE}", " ")
    assert "Celery naive flaky_task 0 s · times=2 RETRYING TemporaryError: one" in text
    move(parts, row, TaskStatus.IN_PROGRESS, 1.0, attempt=2)
    text = text_of(client.get("/").text)
    assert "times=2 IN_PROGRESS attempt 2" in text
    assert "TemporaryError" not in text
    assert "naive" not in text_of(client.get("/?method=rabbitmq").text).partition("Task status")[2]


def test_a_retrying_task_says_by_when_it_goes_on(client: FlaskClient, parts: Services, app: Flask) -> None:
    row = at(parts, TaskStatus.IN_PROGRESS, "rabbitmq")
    move(parts, row, TaskStatus.RETRYING, 2.0, error="TemporaryError: one")
    assert re.search(
        r"Tried again by \d\d:\d\d:\d\d\.\d{3} UTC, where a worker", client.get(f"/tasks/{row['id']}").text
    )
    task = {"status": "RETRYING", "method": "rabbitmq", "delivery": "safe", "options": None}
    history = [{"status": "RETRYING", "at": f"2026-01-01T00:00:0{n}.5Z"} for n in range(3)]
    with app.test_request_context():
        assert wording.goes_on(task, history) == "Tried again by 00:00:06.500 UTC, where a worker is free."
        assert wording.goes_on({**task, "status": "DONE"}, history) == ""
        assert wording.goes_on({**task, "delivery": "naive"}, history) == ""


def test_names_and_errors_of_others_are_never_code(client: FlaskClient, parts: Services) -> None:
    row = at(parts, TaskStatus.IN_PROGRESS)
    move(parts, row, TaskStatus.RETRYING, 1.0, worker=EVIL, error=EVIL)
    for path in ("/", f"/tasks/{row['id']}"):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert html.escape(EVIL, quote=False).replace('"', "&#34;") in page
    answer = client.post(f"/tasks/{EVIL.replace('/', '')}/cancel")
    assert "<script>" not in answer.text
