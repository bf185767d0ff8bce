"""The same button pressed by many at once: one of them does it."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from api import LabAPI, submit
from api.services import Services
from api.tasks.receive import BrokerAway
from lab.status import StatusUpdate, TaskStatus
from store.letters import Letter
from store.tasks import NewTask

MANY = 10
TIMED = NewTask("celery", "process_task", {"timeout": 5.0}, 5.0)


@pytest.fixture
def at_once(app: LabAPI) -> Callable[[Callable[[FlaskClient], Any]], list[Any]]:
    """Has the same done by ten clients at the same time; returns what each got."""

    def run(ask: Callable[[FlaskClient], Any]) -> list[Any]:
        barrier, answers = threading.Barrier(MANY), list[Any]()

        def one() -> None:
            client = app.test_client()
            barrier.wait(10)
            answers.append(ask(client))

        threads = [threading.Thread(target=one) for _ in range(MANY)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(answers) == MANY
        return answers

    return run


def codes(answers: list[Any]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


def ended(parts: Services, status: TaskStatus) -> str:
    """The id of a task that has ended so."""
    task: str = parts.store.add(TIMED).rows[0]["id"]
    parts.store.apply([StatusUpdate(task_id=task, status=status)])
    return task


def keep(parts: Services, task_id: str | None) -> int:
    parts.dead_letters.keep(Letter("tasks", "delivery_limit", task_id, b"{}", {"headers": {}}))
    number: int = parts.dead_letters.page(1)[0]["id"]
    return number


def total(parts: Services) -> int:
    return sum(parts.store.counts().values())


def test_a_letter_of_a_task_that_many_send_again_makes_one_task(at_once: Any, parts: Services) -> None:
    letter = keep(parts, parts.store.add(TIMED).rows[0]["id"])
    answers = at_once(lambda client: client.post(f"/api/dead-letters/{letter}/requeue"))
    assert codes(answers) == [202] + [404] * (MANY - 1)
    assert total(parts) == 2


def test_a_letter_of_nobody_that_many_send_again_is_one_message(
    at_once: Any, parts: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []
    monkeypatch.setattr(submit, "republish", lambda _url, _queue, body, _properties: sent.append(body))
    letter = keep(parts, None)
    answers = at_once(lambda client: client.post(f"/api/dead-letters/{letter}/requeue"))
    assert codes(answers) == [202] + [404] * (MANY - 1)
    assert sent == [b"{}"]


def test_a_letter_that_is_being_sent_again_cannot_be_discarded(
    client: FlaskClient, parts: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter, codes_meanwhile = keep(parts, None), list[int]()

    def republish(*_: Any) -> None:
        other = client.application.test_client()
        codes_meanwhile.append(other.post(f"/api/dead-letters/{letter}/discard").status_code)
        raise BrokerAway("not now")

    monkeypatch.setattr(submit, "republish", republish)
    assert client.post(f"/api/dead-letters/{letter}/requeue").status_code == 503
    assert codes_meanwhile == [404]
    assert client.post(f"/api/dead-letters/{letter}/discard").status_code == 200


def test_letters_of_one_task_and_its_own_button_make_one_task(client: FlaskClient, parts: Services) -> None:
    task = parts.store.add(TIMED).rows[0]["id"]
    first, second = keep(parts, task), keep(parts, task)
    new = client.post(f"/api/tasks/{task}/retry").json["task"]["id"]
    for letter in (first, second):
        assert client.post(f"/api/dead-letters/{letter}/requeue").status_code == 202
    assert client.post(f"/api/tasks/{task}/retry").json["task"]["id"] == new
    assert (total(parts), parts.dead_letters.count()) == (2, 0)


@pytest.mark.parametrize("path", ["/api/tasks/{}/retry", "/tasks/{}/retry"])
def test_a_task_that_many_send_once_more_is_one_new_task(at_once: Any, parts: Services, path: str) -> None:
    task = ended(parts, TaskStatus.FAILED)
    json = {"Accept": "application/json"}
    answers = at_once(lambda client: client.post(path.format(task), headers=json))
    assert codes(answers) == [202] * MANY
    assert len({answer.json["task"]["id"] for answer in answers}) == 1
    assert total(parts) == 2


def test_a_task_that_is_done_and_cancelled_at_once_ends_once(at_once: Any, parts: Services) -> None:
    task = parts.store.add(TIMED).rows[0]["id"]
    parts.store.apply([StatusUpdate(task_id=task, status=TaskStatus.IN_PROGRESS)])
    turn = iter(range(MANY))

    def either(client: FlaskClient) -> Any:
        if next(turn) % 2:
            return parts.store.apply([StatusUpdate(task_id=task, status=TaskStatus.DONE)])
        return client.post(f"/api/tasks/{task}/cancel")

    at_once(either)
    row = parts.store.get(task)
    assert row is not None
    history = [event["status"] for event in parts.store.history(row["num"])]
    assert history == ["PENDING", "IN_PROGRESS", "DONE"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/tasks", {"method": "celery", "timeout": 1, "count": 3}),
        ("/api/workflows", {"method": "rabbitmq", "pattern": "chain"}),
    ],
)
def test_what_comes_many_times_under_one_key_is_taken_once(
    at_once: Any, path: str, body: dict[str, Any]
) -> None:
    key = {"Idempotency-Key": "the same"}
    answers = at_once(lambda client: client.post(path, json=body, headers=key))
    assert len(set(codes(answers))) == 1
    assert answers[0].status_code == 202, answers[0].text
    told = [answer.json for answer in answers]
    assert len({one["id"] if "id" in one else one["tasks"][0]["id"] for one in told}) == 1
