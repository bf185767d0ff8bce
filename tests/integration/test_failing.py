"""Jobs that fail, hang, kill their worker or are cancelled: the same promises by both transports."""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pika
import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from lab.broker import amqp
from lab.job import SUSPECT_COUNT
from tests.vhosts import make_vhost

both = pytest.mark.parametrize("method", ["celery", "rabbitmq"])


@pytest.fixture(scope="module")
def own_lab(tmp_path_factory: pytest.TempPathFactory, node: RabbitNode) -> Iterator[Lab]:
    """A lab on queues of its own, with workers that die and are restarted by the tests."""
    with Lab(tmp_path_factory.mktemp("failing-lab"), make_vhost(node)) as running:
        running.start_celery(concurrency=2)
        running.start_consumer(concurrency=2)
        yield running


def submit(lab: Lab, method: str, kind: str, **fields: Any) -> str:
    body = {"method": method, "kind": kind, **fields}
    answer = lab.session.post(f"{lab.url}/api/tasks", json=body, timeout=30)
    assert answer.status_code == 202, answer.text
    task_id: str = answer.json()["tasks"][0]["id"]
    return task_id


def history(lab: Lab, task_id: str) -> list[tuple[str, int]]:
    return [(event["status"], event["attempt"]) for event in lab.task(task_id)["events"]]


def act(lab: Lab, task_id: str, action: str) -> tuple[int, dict[str, Any]]:
    answer = lab.session.post(f"{lab.url}/api/tasks/{task_id}/{action}", timeout=30)
    return answer.status_code, answer.json()


@both
def test_a_job_that_fails_twice_is_retried_and_succeeds(own_lab: Lab, method: str) -> None:
    task = submit(own_lab, method, "flaky_task", timeout=0.1, times=2)
    told = own_lab.wait_for([task], timeout=60)[task]
    assert history(own_lab, task) == [
        ("PENDING", 0),
        ("IN_PROGRESS", 1),
        ("RETRYING", 1),
        ("IN_PROGRESS", 2),
        ("RETRYING", 2),
        ("IN_PROGRESS", 3),
        ("DONE", 3),
    ]
    assert told["result"]["attempt"] == 3
    assert told["error"] is None


@both
def test_a_job_that_always_fails_ends_failed_with_its_error(own_lab: Lab, method: str) -> None:
    task = submit(own_lab, method, "failing_task", timeout=0, max_retries=1)
    told = own_lab.wait_for([task], "FAILED", timeout=60)[task]
    assert "always fails" in told["error"]
    assert [status for status, _ in history(own_lab, task)] == [
        "PENDING",
        "IN_PROGRESS",
        "RETRYING",
        "IN_PROGRESS",
        "FAILED",
    ]


@both
def test_a_job_that_hangs_fails_at_its_time_limit_and_its_worker_goes_on(own_lab: Lab, method: str) -> None:
    hanging = submit(own_lab, method, "hanging_task", timeout=60, time_limit=1.0)
    told = own_lab.wait_for([hanging], "FAILED", timeout=30)[hanging]
    assert "limit" in told["error"].lower()
    assert told["ran"] < 10
    own_lab.wait_for([task["id"] for task in own_lab.submit(method, 0, count=4)])


@both
def test_a_running_job_stops_when_it_is_cancelled(own_lab: Lab, method: str) -> None:
    task = own_lab.submit(method, 60)[0]["id"]
    own_lab.wait_for([task], "IN_PROGRESS")
    status, answer = act(own_lab, task, "cancel")
    assert status == 202
    assert answer["task"]["cancel_requested_at"]
    told = own_lab.wait_for([task], "CANCELLED", timeout=20)[task]
    assert told["ran"] < 20
    assert history(own_lab, task)[-1][0] == "CANCELLED"
    own_lab.wait_for([task["id"] for task in own_lab.submit(method, 0, count=4)])


@both
def test_a_job_that_does_not_listen_is_cancelled_too(own_lab: Lab, method: str) -> None:
    task = submit(own_lab, method, "hanging_task", timeout=60)
    own_lab.wait_for([task], "IN_PROGRESS")
    act(own_lab, task, "cancel")
    own_lab.wait_for([task], "CANCELLED", timeout=20)
    own_lab.wait_for([task["id"] for task in own_lab.submit(method, 0, count=4)], timeout=60)


@both
def test_what_has_ended_cannot_be_cancelled_and_only_what_failed_is_sent_again(
    own_lab: Lab, method: str
) -> None:
    done = own_lab.submit(method, 0)[0]["id"]
    own_lab.wait_for([done])
    assert act(own_lab, done, "cancel")[0] == 409
    assert act(own_lab, done, "retry")[0] == 409
    failed = submit(own_lab, method, "failing_task", timeout=0, max_retries=0)
    own_lab.wait_for([failed], "FAILED")
    status, answer = act(own_lab, failed, "retry")
    assert status == 202
    assert answer["task"]["retry_of"] == failed
    own_lab.wait_for([answer["task"]["id"]], "FAILED")
    assert act(own_lab, "nobody", "cancel")[0] == act(own_lab, "nobody", "retry")[0] == 404


def _restart_until(lab: Lab, method: str, task: str, *statuses: str) -> None:
    """Keeps a worker of `method` alive, as a supervisor does, until the task stands at one of `statuses`."""
    start = lab.start_celery if method == "celery" else lab.start_consumer
    deadline = time.monotonic() + 90
    while lab.task(task)["status"] not in statuses:
        assert time.monotonic() < deadline, history(lab, task)
        if not any(worker.running for worker in lab.workers if _serves(worker.command, method)):
            start(concurrency=2, name=f"{method}-{uuid.uuid4().hex[:4]}")
        time.sleep(0.2)


def _serves(command: list[str], method: str) -> bool:
    return ("celery_app" in command) == (method == "celery")


@pytest.mark.slow
@both
def test_a_job_that_kills_its_worker_ends_failed_instead_of_circling(own_lab: Lab, method: str) -> None:
    letters = len(own_lab.wait_for_letters(0))
    task = submit(own_lab, method, "killer_task", timeout=0)
    _restart_until(own_lab, method, task, "FAILED")
    told = own_lab.task(task)
    # The broker gives up after so many returns; the consumer lets it kill a process of its own after two.
    runs, words, reason = {
        "celery": (amqp.DELIVERY_LIMIT + 1, "came back too often", "delivery_limit"),
        "rabbitmq": (SUSPECT_COUNT + 1, "the job ended its process (SIGKILL)", "rejected"),
    }[method]
    assert words in told["error"]
    starts = [attempt for status, attempt in history(own_lab, task) if status == "IN_PROGRESS"]
    assert starts == list(range(1, runs + 1))
    letter = own_lab.wait_for_letters(letters + 1)[0]
    assert (letter["task_id"], letter["reason"], letter["task_known"]) == (task, reason, True)
    _restart_until(own_lab, method, own_lab.submit(method, 0)[0]["id"], "DONE")


@both
def test_what_cannot_be_read_is_kept_as_a_dead_letter_and_can_be_discarded(own_lab: Lab, method: str) -> None:
    queue = amqp.CELERY_QUEUE if method == "celery" else amqp.RABBITMQ_QUEUE
    before = {letter["id"] for letter in own_lab.wait_for_letters(0)}
    bodies = [b"{", b"\x80\x04\x95pickle", b'["not", "a", "job"]']
    connection = pika.BlockingConnection(amqp.parameters(own_lab.env["RMQ_URL"], "test"))
    channel = connection.channel()
    channel.confirm_delivery()
    for body in bodies:
        channel.basic_publish("", queue, body, pika.BasicProperties(content_type="application/json"))
    pickled = pika.BasicProperties(content_type="application/x-python-serialize", content_encoding="binary")
    channel.basic_publish("", queue, b"\x80\x04\x95", pickled)
    connection.close()
    letters = own_lab.wait_for_letters(len(before) + 4)
    new = [letter for letter in letters if letter["id"] not in before]
    assert {letter["queue"] for letter in new} == {queue}
    assert {letter["reason"] for letter in new} == {"rejected"}
    for letter in new:
        address = f"{own_lab.url}/api/dead-letters/{letter['id']}/discard"
        assert own_lab.session.post(address, timeout=10).ok
        assert own_lab.session.post(address, timeout=10).status_code == 404


def test_a_letter_of_no_task_goes_back_to_its_queue(own_lab: Lab) -> None:
    before = {letter["id"] for letter in own_lab.wait_for_letters(0)}
    body = json.dumps({"task_id": "x" * 10, "num": 1, "params": {"timeout": 0.0}, "unexpected": True})
    connection = pika.BlockingConnection(amqp.parameters(own_lab.env["RMQ_URL"], "test"))
    connection.channel().basic_publish("", amqp.RABBITMQ_QUEUE, body.encode())
    connection.close()
    letter = own_lab.wait_for_letters(len(before) + 1)[0]
    address = f"{own_lab.url}/api/dead-letters/{letter['id']}/requeue"
    assert own_lab.session.post(address, timeout=10).status_code == 202
    deadline = time.monotonic() + 20
    while not (new := {entry["id"] for entry in own_lab.wait_for_letters(0)} - before - {letter["id"]}):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert own_lab.wait_for_letters(1)[0]["body"] == body
    assert len(new) == 1


def test_a_letter_whose_queue_is_gone_stays_and_says_so(own_lab: Lab) -> None:
    before = {letter["id"] for letter in own_lab.wait_for_letters(0)}
    with amqp.connected(own_lab.env["RMQ_URL"], "test") as connection:
        channel = connection.channel()
        death = {"count": 1, "reason": "rejected", "queue": "one of once"}
        properties = pika.BasicProperties(headers={"x-death": [death]})
        channel.basic_publish("", amqp.dead_letter_queue(amqp.RABBITMQ_QUEUE), b"no job", properties)
    letter = own_lab.wait_for_letters(len(before) + 1)[0]
    answer = own_lab.session.post(f"{own_lab.url}/api/dead-letters/{letter['id']}/requeue", timeout=10)
    assert (answer.status_code, answer.json()["detail"]) == (409, "there is no queue one of once any more")
    assert letter["id"] in {one["id"] for one in own_lab.wait_for_letters(0)}
