"""The page of dead letters, in each of its states."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from api import LabAPI
from api.letters.pages import PAGE_SIZE
from api.services import Services
from lab.status import TaskStatus
from store.letters import Letter
from tests.unit.api.tasks.test_pages import EVIL, add, text_of


def keep(
    parts: Services,
    body: bytes = b"{",
    *,
    queue: str = "tasks",
    reason: str = "rejected",
    task_id: str | None = None,
) -> int:
    """Keeps a dead letter and returns its id."""
    properties = {"content_type": "application/json", "headers": {"x-first-death-queue": queue}}
    parts.dead_letters.keep(Letter(queue, reason, task_id, body, properties))
    letter_id: int = parts.dead_letters.page(1)[0]["id"]
    return letter_id


def ids_of(page: str) -> list[int]:
    return [int(found) for found in re.findall(r'data-letter-id="(\d+)"', page)]


def test_without_letters_the_page_says_how_to_get_one(client: FlaskClient) -> None:
    text = text_of(client.get("/dead-letters").text)
    assert "No dead letters." in text
    assert "the job that kills its worker" in text
    assert "basic_publish('', 'tasks', b'no job')" in text


def test_the_command_that_makes_a_letter_goes_to_the_broker_of_this_lab(
    make_app: Callable[..., LabAPI], tmp_path: Path
) -> None:
    broker = "amqp://student:qwerty@localhost:5673/"
    app = make_app(rmq_url=broker, celery_broker_url=broker, var=tmp_path)
    page = app.test_client().get("/dead-letters").text
    command = re.search('<pre class="command"[^>]*>(.*?)</pre>', page, re.DOTALL)
    assert command
    assert re.match(f"cd .* && export .*RMQ_URL={broker} .*LAB_VAR=.*\npython -c", unescape(command[1]))


def test_the_header_counts_the_letters_where_there_are_any(client: FlaskClient, parts: Services) -> None:
    assert "Dead letters RabbitMQ Management" in text_of(client.get("/").text)
    keep(parts)
    keep(parts)
    assert "Dead letters 2 RabbitMQ Management" in text_of(client.get("/").text)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("rejected", "rejected: it could not be read, or its job killed its worker"),
        ("delivery_limit", "came back too often"),
        ("expired", "waited too long"),
        ("maxlen", "maxlen"),
    ],
)
def test_a_letter_shows_where_it_died_and_why(
    client: FlaskClient, parts: Services, reason: str, words: str
) -> None:
    keep(parts, b"abc", reason=reason)
    keep(parts, queue="celery", reason=reason)
    keep(parts, queue="elsewhere", reason=reason)
    text = text_of(client.get("/dead-letters").text)
    assert f"UTC RabbitMQ {words} – 3 bytes" in text
    assert f"UTC Celery {words} – 1 byte" in text
    assert f"UTC elsewhere {words} – 1 byte" in text


def test_a_letter_of_a_known_task_leads_to_it(client: FlaskClient, parts: Services) -> None:
    (row,) = add(parts)
    keep(parts, queue="celery", reason="delivery_limit", task_id=row["id"])
    assert f'<a href="/tasks/{row["id"]}">#{row["num"]}</a>' in client.get("/dead-letters").text
    keep(parts, task_id="nobody")
    page = client.get("/dead-letters").text
    assert '<code title="nobody">nobody</code>' in page
    assert "came back too often" in text_of(client.get(f"/tasks/{row['id']}").text)


def test_looking_inside_sets_json_out_and_consumes_nothing(client: FlaskClient, parts: Services) -> None:
    letter = keep(parts, '{"что":[1,{"a":null}]}'.encode())
    page = client.get(f"/dead-letters/{letter}").text
    assert "&#34;что&#34;: [\n    1,\n    {" in page
    assert "x-first-death-queue" in page
    assert parts.dead_letters.count() == 1


@pytest.mark.parametrize("body", [b"hello", b'{"a": NaN}', b"[" * 2000, b'"\\ud800"', b"1e999"])
def test_text_that_is_no_json_is_shown_as_it_is(client: FlaskClient, parts: Services, body: bytes) -> None:
    answer = client.get(f"/dead-letters/{keep(parts, body)}")
    assert answer.status_code == 200
    assert body.decode().replace('"', "&#34;") in answer.text


@pytest.mark.parametrize("body", [b"\x80\x04\x95pickle", b"a\x00b", b"\x1b[31mred"])
def test_bytes_that_are_no_text_are_shown_in_hexadecimal(
    client: FlaskClient, parts: Services, body: bytes
) -> None:
    page = client.get(f"/dead-letters/{keep(parts, body)}").text
    assert f"000000  {body.hex(' ')} " in page
    assert "\x00" not in page
    assert "\x1b" not in page


def test_of_long_letters_the_beginning_is_shown(client: FlaskClient, parts: Services) -> None:
    for body in (b"x" * 200_000, b"\xff" * 200_000):
        page = client.get(f"/dead-letters/{keep(parts, body)}").text
        assert "Only its beginning is shown." in page
        assert len(page) < 100_000
    assert "Empty." in client.get(f"/dead-letters/{keep(parts, b'')}").text


def test_discarding_asks_first_and_works_without_scripts(client: FlaskClient, parts: Services) -> None:
    letter = keep(parts)
    for path in ("/dead-letters", f"/dead-letters/{letter}"):
        page = client.get(path).text
        (box,) = [part for part in page.split("<details") if f"/dead-letters/{letter}/discard" in part]
        assert "It is gone for good then." in box
        assert f'aria-label="Discard: letter {letter}"' in box
        assert 'form="letters"' in box
        assert '<form id="letters"' in page
    answer = client.post(f"/dead-letters/{letter}/discard")
    assert (answer.status_code, answer.location) == (303, "/dead-letters")
    assert f"Letter {letter} is discarded." in text_of(client.get("/dead-letters").text)
    assert parts.dead_letters.count() == 0
    again = client.post(f"/dead-letters/{letter}/discard", follow_redirects=True)
    assert "That letter is not here any more." in text_of(again.text)


def test_the_letter_of_a_task_is_sent_again_as_a_new_task(client: FlaskClient, parts: Services) -> None:
    (row,) = add(parts)
    letter = keep(parts, queue="celery", reason="delivery_limit", task_id=row["id"])
    assert (
        "Its task is sent again as a new task, and the letter is removed."
        in client.get(f"/dead-letters/{letter}").text
    )
    page = client.post(f"/dead-letters/{letter}/requeue", follow_redirects=True).text
    assert f"Letter {letter}: its task was sent again." in text_of(page)
    assert parts.dead_letters.count() == 0
    counts = parts.store.counts()
    assert (counts[TaskStatus.FAILED], counts[TaskStatus.PENDING]) == (1, 1)


def test_with_the_broker_away_a_letter_stays_where_it_is(client: FlaskClient, parts: Services) -> None:
    letter = keep(parts)
    assert "What cannot be read comes here again." in client.get(f"/dead-letters/{letter}").text
    page = client.post(f"/dead-letters/{letter}/requeue", follow_redirects=True).text
    assert "The broker does not answer. The letter is still here." in text_of(page)
    assert 'data-tone="error"' in page
    assert ids_of(page) == [letter]


@pytest.mark.parametrize("letter", ["12345", str(2**70)])
def test_a_letter_that_does_not_exist_is_not_found(client: FlaskClient, letter: str) -> None:
    assert client.get(f"/dead-letters/{letter}").status_code == 404
    assert client.post(f"/dead-letters/{letter}/requeue").status_code == 404
    assert client.post(f"/dead-letters/{letter}/discard").status_code == 303


def test_pages_of_letters_follow_each_other_without_gap_or_double(
    client: FlaskClient, parts: Services
) -> None:
    kept = [keep(parts) for _ in range(PAGE_SIZE + 3)]
    page = client.get("/dead-letters").text
    older = re.search(r'href="(/dead-letters\?before=\d+)"', page)
    assert older
    rest = client.get(older[1]).text
    assert ids_of(page) + ids_of(rest) == kept[::-1]
    assert "Older →" not in text_of(rest)
    assert "There is nothing older." in text_of(client.get("/dead-letters?before=1").text)
    assert len(ids_of(client.get("/dead-letters?before=abc").text)) == PAGE_SIZE


def test_nothing_in_a_letter_is_ever_code(client: FlaskClient, parts: Services) -> None:
    properties = {"headers": {EVIL: EVIL}, "content_type": EVIL}
    parts.dead_letters.keep(Letter(EVIL, EVIL, EVIL, EVIL.encode(), properties))
    parts.dead_letters.keep(Letter(EVIL, EVIL, EVIL, b"\xff" + EVIL.encode(), properties))
    for path in ("/dead-letters", "/dead-letters/1", "/dead-letters/2"):
        page = client.get(path).text
        assert "<script>" not in page
        assert not re.search(r"<[^>]+\s(style|on\w+)=", page)


def test_the_page_of_letters_is_russian_for_russian_readers(client: FlaskClient, parts: Services) -> None:
    letter = keep(parts)
    text = text_of(client.get("/dead-letters", headers={"Accept-Language": "ru"}).text)
    assert "Недоставленные 1 RabbitMQ Management" in text
    for words in ("Недоставленные сообщения", "не удалось прочитать", "1 байт", "Удалить…"):
        assert words in text
    text = text_of(client.get(f"/dead-letters/{letter}", headers={"Accept-Language": "ru"}).text)
    assert f"Недоставленное сообщение {letter}" in text
