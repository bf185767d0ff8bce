"""The page's line on tasks that are nowhere, and its two buttons."""

import pytest
from flask.testing import FlaskClient

from api.services import Services
from lab.clock import now_us
from lab.status import StatusUpdate, TaskStatus
from store.tasks import NewTask


@pytest.fixture
def lost(parts: Services, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a task that the books have found and left to a person."""
    (row,) = parts.store.add(NewTask("celery", "process_task", {"timeout": 1.0}, 1.0), relay="r").rows
    parts.outbox.published({row["num"]: now_us()})
    parts.store.apply([StatusUpdate(task_id=row["id"], status=TaskStatus.IN_PROGRESS, worker="w@h")])
    picture = {"books": {"nowhere": 1, "open": [row["id"]]}}
    monkeypatch.setattr(parts.watch, "_alarms", ["disk"])
    monkeypatch.setattr(parts.control, "_picture", picture)
    return str(row["id"])


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["1 task is nowhere", "Send again", "Give up", "disk alarm: publishing is blocked"]),
        ("ru", ["1 задача потеряна", "Отказаться", "мало места на диске"]),
    ],
)
def test_the_page_says_what_is_nowhere_and_offers_what_to_do(
    client: FlaskClient, lost: str, language: str, words: list[str]
) -> None:
    del lost
    client.set_cookie("lang", language)
    page = client.get("/").text
    assert [word for word in words if word not in page] == []


def test_without_trouble_the_page_says_nothing_of_it(client: FlaskClient) -> None:
    page = client.get("/").text
    assert 'id="nowhere" hidden' in page
    assert 'id="alarm" hidden' in page


def test_send_again_publishes_it_as_its_next_attempt(client: FlaskClient, parts: Services, lost: str) -> None:
    answer = client.post("/control/nowhere", data={"do": "again"})
    assert answer.status_code == 303
    (row,) = parts.outbox.claim("me", "celery", 10)
    assert (row["id"], row["attempt"]) == (lost, 1)


def test_give_up_ends_it(client: FlaskClient, parts: Services, lost: str) -> None:
    client.post("/control/nowhere", data={"do": "give-up"})
    row = parts.store.get(lost) or {}
    assert row["status"] == "FAILED"
    assert row["error"].startswith("lost: ")
