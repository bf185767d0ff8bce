"""The hand-written worker against a real broker."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pika
import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from lab.broker import amqp


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("consumers")


@pytest.fixture(scope="module")
def quiet_node(tmp_path_factory: pytest.TempPathFactory, node: RabbitNode) -> Iterator[RabbitNode]:
    """A broker that no other test uses: its queue is this module's alone."""
    with RabbitNode(tmp_path_factory.mktemp("quiet"), management=False) as running:
        yield running


@pytest.fixture(scope="module")
def own_lab(base: Path, quiet_node: RabbitNode) -> Iterator[Lab]:
    """A lab without workers."""
    with Lab(base, quiet_node.url) as running:
        yield running


def _put(lab: Lab, body: bytes) -> None:
    connection = pika.BlockingConnection(amqp.parameters(lab.env["RMQ_URL"], "test"))
    channel = connection.channel()
    amqp.declare_topology(channel)
    channel.basic_publish("", amqp.RABBITMQ_QUEUE, body)
    connection.close()


def _depth(lab: Lab, queue: str) -> int:
    connection = pika.BlockingConnection(amqp.parameters(lab.env["RMQ_URL"], "test"))
    try:
        return connection.channel().queue_declare(queue, passive=True).method.message_count
    finally:
        connection.close()


def _wait_for_depth(lab: Lab, queue: str, depth: int, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while _depth(lab, queue) != depth:
        assert time.monotonic() < deadline, f"{queue} holds {_depth(lab, queue)}, not {depth}"
        time.sleep(0.1)


def test_sigterm_lets_running_jobs_finish(own_lab: Lab) -> None:
    worker = own_lab.start_consumer(concurrency=2)
    tasks = [task["id"] for task in own_lab.submit("rabbitmq", 2.0, count=2)]
    own_lab.wait_for(tasks, "IN_PROGRESS")
    assert worker.terminate(signal.SIGTERM, timeout=20) == 0
    assert {own_lab.task(task)["status"] for task in tasks} == {"DONE"}


def test_what_does_not_finish_in_time_is_handed_back_and_not_lost(own_lab: Lab) -> None:
    first = own_lab.start_consumer(concurrency=2, name="first", grace=0.5)
    tasks = [task["id"] for task in own_lab.submit("rabbitmq", 4.0, count=3)]
    own_lab.wait_for(tasks[:2], "IN_PROGRESS")
    assert first.terminate(signal.SIGTERM, timeout=20) == 0
    second = own_lab.start_consumer(concurrency=3, name="second")
    own_lab.wait_for(tasks, timeout=40)
    second.terminate(timeout=20)
    for task in tasks[:2]:
        events = own_lab.task(task)["events"]
        assert [(event["status"], event["attempt"]) for event in events] == [
            ("PENDING", 0),
            ("IN_PROGRESS", 1),
            ("IN_PROGRESS", 2),
            ("DONE", 2),
        ]
        assert [event["worker"].split("@")[0] for event in events[1:]] == ["first", "second", "second"]


@pytest.mark.smoke
def test_a_worker_that_is_killed_loses_nothing(own_lab: Lab) -> None:
    victim = own_lab.start_consumer(concurrency=2, name="victim")
    tasks = [task["id"] for task in own_lab.submit("rabbitmq", 1.0, count=4)]
    own_lab.wait_for(tasks[:1], "IN_PROGRESS")
    victim.kill_group()
    heir = own_lab.start_consumer(concurrency=4, name="heir")
    own_lab.wait_for(tasks, timeout=40)
    heir.terminate(timeout=20)


def test_ctrl_c_ends_an_idle_worker_at_once(own_lab: Lab) -> None:
    worker = own_lab.start_consumer()
    begin = time.monotonic()
    assert worker.terminate(signal.SIGINT, timeout=20) == 0
    assert time.monotonic() - begin < 5


def test_a_message_that_is_no_job_becomes_a_dead_letter_and_the_worker_goes_on(own_lab: Lab) -> None:
    worker = own_lab.start_consumer()
    for body in (b"", b"{", b'{"task_id": 5}', b"\x80\x04\x95"):
        _put(own_lab, body)
    task = own_lab.submit("rabbitmq", 0)[0]["id"]
    own_lab.wait_for([task])
    own_lab.wait_for_letters(4)
    assert worker.terminate(timeout=20) == 0


def test_it_waits_for_a_broker_that_is_down_and_comes_back_to_it(
    own_lab: Lab, quiet_node: RabbitNode
) -> None:
    worker = own_lab.start_consumer()
    mark = worker.log_size()
    quiet_node.ctl("stop_app")
    worker.wait_for_log("consuming is interrupted", since=mark)
    waiting = own_lab.submit("rabbitmq", 0, count=3)
    assert {task["status"] for task in waiting} == {"PENDING"}
    quiet_node.ctl("start_app")
    own_lab.wait_for([task["id"] for task in waiting], timeout=40)
    assert worker.terminate(timeout=20) == 0


def test_one_message_can_be_received_by_hand(own_lab: Lab) -> None:
    empty = own_lab.receive()
    assert empty.ok
    task = own_lab.submit("rabbitmq", 0.2)[0]["id"]
    _wait_for_depth(own_lab, amqp.RABBITMQ_QUEUE, 1)
    received = own_lab.receive()
    assert received.ok
    told = own_lab.task(task)
    assert told["status"] == "DONE"
    assert told["worker"].startswith("api@")
    _wait_for_depth(own_lab, amqp.RABBITMQ_QUEUE, 0)


def test_receiving_by_hand_leaves_a_job_that_is_too_long_in_the_queue(own_lab: Lab) -> None:
    task = own_lab.submit("rabbitmq", 3600)[0]["id"]
    _wait_for_depth(own_lab, amqp.RABBITMQ_QUEUE, 1)
    assert own_lab.receive().status_code < 500
    assert own_lab.task(task)["status"] == "PENDING"
    _wait_for_depth(own_lab, amqp.RABBITMQ_QUEUE, 1)


def test_two_who_receive_at_once_never_get_the_same_message(own_lab: Lab) -> None:
    tasks = [task["id"] for task in own_lab.submit("rabbitmq", 0.2, count=2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: own_lab.receive(), range(4)))
    for task in tasks:
        assert [event["status"] for event in own_lab.task(task)["events"]].count("DONE") <= 1
