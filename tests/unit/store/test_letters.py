from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from flask.testing import FlaskClient
from pika.spec import Basic, BasicProperties

from api.letters.collector import LetterCollector, read_letter
from lab.settings import Settings
from lab.status import StatusUpdate, TaskStatus
from store.letters import DeadLetters, Letter, unknown_task
from store.tasks import NewTask, Store

TIMED = NewTask("celery", "process_task", {"timeout": 5.0}, 5.0)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url)
    yield made
    made.close()


def letter(task_id: str | None, reason: str = "delivery_limit", body: bytes = b"{}") -> Letter:
    return Letter("tasks", reason, task_id, body, {"headers": {}})


def test_a_letter_ends_the_task_that_it_names(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    store.apply([StatusUpdate(task_id=task, status=TaskStatus.IN_PROGRESS, attempt=6)])
    DeadLetters(store).keep(letter(task))
    row = store.get(task)
    assert row is not None
    assert (row["status"], row["attempt"]) == ("FAILED", 6)
    assert "came back too often" in row["error"]


def test_a_letter_of_a_task_that_has_ended_changes_nothing(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    store.apply([StatusUpdate(task_id=task, status=TaskStatus.DONE)])
    DeadLetters(store).keep(letter(task))
    row = store.get(task)
    assert row is not None
    assert row["status"] == "DONE"


def test_letters_are_looked_at_without_being_consumed(store: Store) -> None:
    letters = DeadLetters(store)
    for n in range(5):
        letters.keep(letter(None, body=b"%d" % n))
    assert letters.count() == 5
    newest = letters.page(2)
    assert [row["body"] for row in newest] == [b"4", b"3"]
    assert [row["body"] for row in letters.page(10, newest[-1]["id"])] == [b"2", b"1", b"0"]
    assert letters.count() == 5


def test_a_letter_is_discarded_once_and_its_id_never_used_again(store: Store) -> None:
    letters = DeadLetters(store)
    letters.keep(letter(None))
    first = letters.page(1)[0]["id"]
    assert letters.discard(first)
    assert not letters.discard(first)
    letters.keep(letter(None))
    assert letters.page(1)[0]["id"] != first


def test_a_letter_tells_where_and_why_it_died_and_whose_it_was() -> None:
    headers = {"x-first-death-queue": "tasks", "x-first-death-reason": "rejected", "x-death": [{"count": 1}]}
    read = read_letter(BasicProperties(headers=headers, message_id="abc"), b"\xff")
    assert (read.queue, read.reason, read.task_id, read.body) == ("tasks", "rejected", "abc", b"\xff")
    celery = read_letter(BasicProperties(headers={**headers, "id": "xyz"}), b"[[], {}]")
    assert celery.task_id == "xyz"
    by_body = read_letter(BasicProperties(headers=headers), b'{"task_id": "def"}')
    assert by_body.task_id == "def"
    assert read_letter(BasicProperties(), b"[1]").task_id is None


def test_a_body_that_is_no_text_is_shown_in_hexadecimal_digits(client: FlaskClient, store: Store) -> None:
    DeadLetters(store).keep(letter(None, body=b"\xff\x00"))
    shown = client.get("/api/dead-letters").json["dead_letters"][0]
    assert (shown["body"], shown["body_hex"]) == (None, "ff00")


def test_an_unknown_letter_is_404(client: FlaskClient) -> None:
    assert client.post("/api/dead-letters/99/discard").status_code == 404
    assert client.post("/api/dead-letters/99/requeue").status_code == 404


def test_the_letter_of_a_known_task_is_sent_again_as_a_new_task(client: FlaskClient, store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    DeadLetters(store).keep(letter(task))
    number = client.get("/api/dead-letters").json["dead_letters"][0]["id"]
    assert client.post(f"/api/dead-letters/{number}/requeue").status_code == 202
    newest = client.get("/api/tasks").json["tasks"][0]
    assert (newest["retry_of"], newest["status"]) == (task, "PENDING")
    assert client.get("/api/dead-letters").json["dead_letters"] == []


def test_a_letter_of_nobody_stays_where_the_broker_is_away(client: FlaskClient, store: Store) -> None:
    DeadLetters(store).keep(letter(None))
    number = client.get("/api/dead-letters").json["dead_letters"][0]["id"]
    assert client.post(f"/api/dead-letters/{number}/requeue").status_code == 503
    assert len(client.get("/api/dead-letters").json["dead_letters"]) == 1


FORGED: dict[str, Any] = {
    "a death that is text": BasicProperties(headers={"x-death": "yesterday"}),
    "deaths that are numbers": BasicProperties(headers={"x-death": [5]}),
    "a queue of a thousand letters": BasicProperties(headers={"x-first-death-queue": "q" * 1000}),
    "a reason with a NUL": BasicProperties(headers={"x-first-death-reason": "a\x00b" * 50}),
    "a task's name that is a number": BasicProperties(headers={"task": 5, "id": [1]}),
    "headers that are none": BasicProperties(headers=[1]),  # type: ignore[arg-type]
    "a message id that is no text": BasicProperties(message_id=b"\xff"),  # type: ignore[arg-type]
}


def nested() -> BasicProperties:
    table: Any = {}
    for _ in range(500):
        table = {"a": [table]}
    return BasicProperties(headers=table)


@pytest.mark.parametrize("properties", [*FORGED.values(), nested()], ids=[*FORGED, "tables in tables"])
@pytest.mark.parametrize(
    "body", [b"\xff\x00", b"[" * 100_000, b'{"task_id": "a\\u0000"}'], ids=["bytes", "deep", "NUL"]
)
def test_whatever_a_letter_says_of_itself_it_is_kept_and_acknowledged(
    client: FlaskClient, store: Store, properties: BasicProperties, body: bytes
) -> None:
    channel, came = Mock(), Basic.Deliver("tag", 7, False, "lab.dead", "tasks.dead")
    LetterCollector(Settings.from_env({}), DeadLetters(store), "a lab").take(channel, came, properties, body)
    channel.basic_ack.assert_called_once_with(7)
    assert len(client.get("/api/dead-letters").json["dead_letters"]) == 1
    assert client.get("/dead-letters").status_code == 200


def test_the_letter_of_an_unknown_task_names_it(client: FlaskClient, store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    properties = {"headers": {"task": "tasks.add", "id": task}}
    DeadLetters(store).keep(Letter("celery", "rejected", task, b"[[2, 2], {}, {}]", properties))
    assert client.get("/api/dead-letters").json["dead_letters"][0]["unknown_task"] == "tasks.add"
    assert "no task of the name tasks.add" in client.get("/dead-letters").text
    assert client.get(f"/api/tasks/{task}").json["error"] == "dead letter: no task of the name tasks.add"


@pytest.mark.parametrize("name", ["add", "send_email", "celery.group", None, 5])
def test_a_task_that_workers_have_is_not_called_unknown(name: Any) -> None:
    assert unknown_task("rejected", {"headers": {"task": name}}) is None
