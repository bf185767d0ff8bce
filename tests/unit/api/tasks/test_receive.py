"""One message received by hand, from a virtual host of the real broker that nobody else uses."""

import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from api.tasks.receive import BrokerAway, ReceiveRefused, receive_one
from harness.node import RabbitNode
from lab.broker import amqp
from lab.broker.message import publish
from lab.clock import now_us
from lab.job import Job
from lab.jobs.context import Report
from lab.logs import JobLog
from lab.options import Options
from lab.settings import Settings
from lab.status import TaskStatus, UpdateAnswer
from tests.vhosts import make_vhost

ADD = Job(task_id="x", num=7, kind="add", params={"x": 1, "y": 2})
LINKED, ON_ERROR = (Job(task_id=name, num=8, kind="add", params={"y": 2}) for name in ("linked", "on error"))


class Book:
    """Report functions that write down what they are told, and give the same answer to all."""

    def __init__(self, **answer: Any) -> None:
        self.told: list[tuple[TaskStatus, int]] = []
        self._answer = UpdateAnswer(task_id="x", **answer)

    def report_for(self, job: Job, attempt: int) -> Report:
        def report(status: TaskStatus, **_: object) -> UpdateAnswer:
            self.told.append((status, attempt))
            return self._answer

        return report


@pytest.fixture
def settings(node: RabbitNode, tmp_path: Path) -> Settings:
    url = make_vhost(node, f"receive-{secrets.token_hex(4)}")
    return Settings.from_env({"LAB_VAR": str(tmp_path), "RMQ_URL": url, "LAB_SYNC_MAX_SECONDS": "2"})


@pytest.fixture
def channel(settings: Settings) -> Iterator[BlockingChannel]:
    connection = pika.BlockingConnection(pika.URLParameters(settings.rmq_url))
    opened = connection.channel()
    amqp.declare_topology(opened)
    opened.confirm_delivery()
    yield opened
    connection.close()


def receive(settings: Settings, book: Book) -> Job | None:
    """What is received once the broker shows what was published."""
    deadline = time.monotonic() + 10
    while (job := receive_one(settings, book.report_for, JobLog("test", "en"))) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return job


def waiting(channel: BlockingChannel, queue: str, count: int) -> list[dict[str, Any]]:
    """Takes `count` messages out of `queue`, and sees that there are no more."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + 10
    while len(found) < count:
        assert time.monotonic() < deadline, found
        _, _, body = channel.basic_get(queue, auto_ack=True)
        found += [] if body is None else [json.loads(body)]
    assert channel.basic_get(queue, auto_ack=True)[2] is None
    return found


def test_an_empty_queue_has_none(settings: Settings, channel: BlockingChannel) -> None:
    assert receive_one(settings, Book().report_for, JobLog("test", "en")) is None


def test_a_job_is_run_and_acknowledged_and_what_follows_it_is_sent(
    settings: Settings, channel: BlockingChannel
) -> None:
    book, job = Book(), ADD.model_copy(update={"link": LINKED, "link_error": ON_ERROR})
    publish(channel, amqp.RABBITMQ_QUEUE, job)
    assert receive(settings, book) == job
    assert book.told == [(TaskStatus.IN_PROGRESS, 1), (TaskStatus.DONE, 1)]
    (sent,) = waiting(channel, amqp.RABBITMQ_QUEUE, 1)
    assert (sent["task_id"], sent["params"]) == ("linked", {"x": 3, "y": 2})


def test_its_first_failure_is_the_last_and_what_follows_a_failure_is_sent(
    settings: Settings, channel: BlockingChannel
) -> None:
    book = Book()
    failing = Job(task_id="x", num=7, kind="failing_task", params={"timeout": 0.0}, link_error=ON_ERROR)
    publish(channel, amqp.RABBITMQ_QUEUE, failing)
    receive(settings, book)
    assert [status for status, _ in book.told] == [TaskStatus.IN_PROGRESS, TaskStatus.FAILED]
    (sent,) = waiting(channel, amqp.RABBITMQ_QUEUE, 1)
    assert sent["task_id"] == "on error"
    assert "always fails" in sent["params"]["x"]


def test_a_job_that_was_done_before_is_not_run_but_what_follows_it_is_sent(
    settings: Settings, channel: BlockingChannel
) -> None:
    book = Book(status=TaskStatus.DONE, result=3)
    publish(channel, amqp.RABBITMQ_QUEUE, ADD.model_copy(update={"link": LINKED}))
    receive(settings, book)
    assert book.told == [(TaskStatus.IN_PROGRESS, 1)]
    assert [one["task_id"] for one in waiting(channel, amqp.RABBITMQ_QUEUE, 1)] == ["linked"]


def test_an_expired_job_is_not_run(settings: Settings, channel: BlockingChannel) -> None:
    book, soon = Book(), now_us() + 600_000
    # Beyond the broker's own expiry: it expires while the request waits for its time.
    options = Options(expires_us=soon, not_before_us=soon + 300_000)
    body = ADD.model_copy(update={"options": options}).to_json()
    channel.basic_publish("", amqp.RABBITMQ_QUEUE, body, mandatory=True)
    receive(settings, book)
    assert book.told == [(TaskStatus.CANCELLED, 1)]
    waiting(channel, amqp.RABBITMQ_QUEUE, 0)


@pytest.mark.parametrize(
    ("body", "why", "left_in"),
    [
        (b"{", "no job", amqp.dead_letter_queue(amqp.RABBITMQ_QUEUE)),
        (Job(task_id="x", num=7, params={"timeout": 60.0}).to_json(), "at most 2", amqp.RABBITMQ_QUEUE),
        (
            Job(task_id="x", num=7, kind="dmap", params={"items": []}).to_json(),
            "part of a workflow",
            amqp.RABBITMQ_QUEUE,
        ),
    ],
    ids=["no job", "too long", "of a workflow"],
)
def test_what_is_not_for_a_request_is_refused_and_kept(
    settings: Settings, channel: BlockingChannel, body: bytes, why: str, left_in: str
) -> None:
    book = Book()
    channel.basic_publish("", amqp.RABBITMQ_QUEUE, body, mandatory=True)
    with pytest.raises(ReceiveRefused, match=why):
        receive(settings, book)
    assert book.told == []
    deadline = time.monotonic() + 10
    while (found := channel.basic_get(left_in, auto_ack=True)[2]) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert found == body


def test_a_broker_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    nowhere = Settings.from_env({"LAB_VAR": str(tmp_path), "RMQ_URL": "amqp://u:p@127.0.0.1:1/"})
    with pytest.raises(BrokerAway):
        receive_one(nowhere, Book().report_for, JobLog("test", "en"))
