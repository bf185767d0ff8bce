"""Messages that are no tasks, before Celery's own consumer and a real message each."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from celery import Celery
from celery.worker import state
from celery.worker.consumer import Consumer
from kombu import Connection
from kombu.message import Message

from celery_worker import dead_letters
from celery_worker.dead_letters import DeadLetteringConsumer, check

HEADERS = {"lang": "py", "task": "process_task", "id": "x", "root_id": "x", "parent_id": None, "retries": 0}
BODY = [[1, 0.0], {}, {"callbacks": None}]
GOOD = json.dumps(BODY).encode()


class Delivered(Message):
    """A message as a broker hands it out, which remembers how it was settled."""

    settled: str | None = None

    def ack(self, *_: Any, **__: Any) -> None:
        assert self.settled is None
        self._state, self.settled = "ACK", "acknowledged"

    def reject(self, requeue: bool = False) -> None:
        assert self.settled is None
        self._state, self.settled = "REJECTED", "requeued" if requeue else "rejected"


def message(body: bytes = GOOD, headers: Any = HEADERS, content_type: str = "application/json") -> Delivered:
    with Connection("memory://").channel() as channel:
        return Delivered(
            body,
            channel=channel,
            content_type=content_type,
            content_encoding="utf-8",
            headers=headers,
            properties={"correlation_id": "x"},
            delivery_info={"routing_key": "celery", "exchange": "celery", "redelivered": False},
            accept={"application/json"},
        )


@pytest.fixture
def app() -> Iterator[Celery]:
    made = Celery("tasks", broker="amqp://nobody:secret@127.0.0.1:1/")
    made.finalize()
    if "process_task" not in made.tasks:  # every application has it once the lab's tasks were imported

        @made.task(name="process_task", shared=False)
        def process_task(*_: Any) -> None: ...

    yield made
    state.reset_state()


def consumer(app: Celery, kind: type[Consumer] = DeadLetteringConsumer) -> Any:
    """A consumer with all of its own code; the pool behind it is a double."""
    begun: list[Any] = []
    made = kind(
        begun.append,
        hostname="me@here",
        pool=Mock(),
        app=app,
        timer=Mock(),
        controller=Mock(state=state),
        hub=None,
    )
    made.qos, made.event_dispatcher, made.begun = Mock(), Mock(enabled=False), begun
    made.update_strategies()
    return made


def test_a_task_message_is_in_order_and_goes_to_the_pool(app: Celery) -> None:
    check(message())
    running, came = consumer(app), message()
    running.create_task_handler()(came)
    assert [request.id for request in running.begun] == ["x"]
    assert came.settled is None


MALFORMED = {
    "null": (b"null", HEADERS, "application/json", "its body is not a list"),
    "no JSON": (b"{", HEADERS, "application/json", ""),
    "no UTF-8": (b"\xff", HEADERS, "application/json", ""),
    "an object": (b'{"task_id": 5}', HEADERS, "application/json", "its body is not a list"),
    "a list of two": (b"[1, 2]", HEADERS, "application/json", "its body is not a list"),
    "arguments that are text": (b'["args", {}, {}]', HEADERS, "application/json", "its body is not a list"),
    "keywords that are a list": (b"[[], [], {}]", HEADERS, "application/json", "its body is not a list"),
    "nested a thousandfold": (b"[" * 5000 + b"]" * 5000, HEADERS, "application/json", ""),
    "no id": (GOOD, {"task": "process_task"}, "application/json", "it has no header id"),
    "no task": (GOOD, {"id": "x"}, "application/json", "it has no header task"),
    "a number for a task": (GOOD, {**HEADERS, "task": 5}, "application/json", "it has no header task"),
    "no headers": (GOOD, None, "application/json", "it has no header task"),
    "pickled": (b"\x80\x04\x95", HEADERS, "application/x-python-serialize", "pickle"),
    "yaml": (b"- yaml", HEADERS, "application/x-yaml", "yaml"),
}
CONFUSING = {
    "stamped_headers that are a number": {"stamped_headers": 5},
    "stamped_headers that are no names": {"stamped_headers": [[]]},
    "a timelimit that is a number": {"timelimit": 5},
    "a timelimit of text": {"timelimit": ["1", None]},
    "expires that is no time": {"expires": ""},
    "an eta that is a list": {"eta": []},
    "an unknown task": {"task": "make_tea"},
}


@pytest.mark.parametrize(("body", "headers", "content_type", "why"), MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_task_message_is_rejected_with_the_reason(
    app: Celery, caplog: pytest.LogCaptureFixture, body: bytes, headers: Any, content_type: str, why: str
) -> None:
    came, running = message(body, headers, content_type), consumer(app)
    running.create_task_handler()(came)
    assert came.settled == "rejected"
    assert running.begun == []
    assert [(one.name, one.levelname) for one in caplog.records] == [("celery_worker.dead_letters", "ERROR")]
    assert caplog.records[0].getMessage().startswith("message x cannot be read: ")
    assert why in caplog.text


@pytest.mark.parametrize("headers", CONFUSING.values(), ids=CONFUSING)
def test_headers_that_celery_trips_over_do_not_end_the_worker(app: Celery, headers: dict[str, Any]) -> None:
    came, running = message(headers=HEADERS | headers), consumer(app)
    running.create_task_handler()(came)
    assert came.settled == "rejected"
    assert running.begun == []


@pytest.mark.parametrize(
    "headers", [{"stamped_headers": ["tenant"], "stamps": {"tenant": "a"}}, {"timelimit": [5, 2.5]}], ids=str
)
def test_the_same_headers_as_celery_writes_them_are_in_order(app: Celery, headers: dict[str, Any]) -> None:
    came, running = message(headers=HEADERS | headers), consumer(app)
    running.create_task_handler()(came)
    assert (came.settled, len(running.begun)) == (None, 1)


def test_celery_as_it_comes_acknowledges_what_it_cannot_decode(app: Celery) -> None:
    came = message(b"{", {"id": "x"})
    consumer(app, Consumer).create_task_handler()(came)
    assert came.settled == "acknowledged"


@pytest.mark.parametrize("headers", [{"stamped_headers": 5}, {"timelimit": 5}], ids=str)
def test_celery_as_it_comes_trips_when_it_hands_such_a_message_to_the_pool(
    app: Celery, headers: dict[str, Any]
) -> None:
    running = consumer(app, Consumer)
    running.create_task_handler()(message(headers=HEADERS | headers))
    with pytest.raises(TypeError):
        running.begun[0].execute_using_pool(Mock())


def test_a_connection_that_breaks_is_celerys_to_handle(app: Celery) -> None:
    running = consumer(app)
    running.on_unknown_task = Mock(side_effect=ConnectionResetError)
    with pytest.raises(ConnectionResetError):
        running.create_task_handler()(message(headers=HEADERS | {"task": "make_tea"}))


def test_what_was_settled_is_not_rejected_again(app: Celery) -> None:
    came = message()
    came.ack()
    consumer(app).on_decode_error(came, ValueError("late"))
    assert came.settled == "acknowledged"


def test_the_exception_stays_small() -> None:
    assert len(Path(dead_letters.__file__).read_text().splitlines()) < 60


def test_an_order_to_the_worker_that_cannot_be_read_is_ignored(app: Celery) -> None:
    came = message(b"{")
    came.delivery_info["consumer_tag"] = "orders"
    came.channel.no_ack_consumers = {"orders"}
    consumer(app).on_decode_error(came, ValueError("no JSON"))
    assert came.settled is None
