"""Messages that come again, and messages that are none."""

import pickle
import struct
import time
from collections.abc import Iterator
from typing import Any

import pika.data
import pytest
from pika import BasicProperties
from pika.adapters.blocking_connection import BlockingChannel

from harness.ledger import read_logs
from harness.node import RabbitNode
from harness.processes import tail
from lab.broker import amqp
from tests.faults.stage import MakeStage, Stage

pytestmark = pytest.mark.slow

MALFORMED = {
    "empty": b"",
    "cut off": b'[[1, 0.1, "celery"], {}, ',
    "no object": b"null",
    "of a wrong shape": b'{"task_id": 5, "num": "one"}',
    "no UTF-8": b'{"task_id": "\xff\xfe"}',
    "pickled": pickle.dumps(["harmless"]),
    "nested a thousandfold": b"[" * 1000 + b"]" * 1000,
}


def _take_all(channel: BlockingChannel, queue: str) -> Iterator[tuple[BasicProperties, bytes]]:
    while True:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            return
        yield properties, body


def test_the_same_message_ten_times_is_one_job(stage: Stage) -> None:
    tasks = stage.submit(30, (0.05,))
    stage.wait_until_published()
    with stage.channel() as channel:
        channel.confirm_delivery()
        messages = list(_take_all(channel, stage.queue))
        assert len(messages) == len(tasks)
        for properties, body in messages:
            for _ in range(10):
                channel.basic_publish("", stage.queue, body, properties, mandatory=True)
    stage.worker(concurrency=4)
    verdict = stage.assert_nothing_lost()
    assert not verdict.overlapped, str(verdict)
    entries = read_logs(worker.log for worker in stage.lab.workers)
    assert len([entry for entry in entries if entry.kind == "finished"]) == len(tasks)


def test_seven_kinds_of_malformed_body_become_dead_letters_and_hold_up_nobody(stage: Stage) -> None:
    worker = stage.worker()
    # What makes a message a Celery task are its headers; without them it is refused on sight.
    headers = {
        "lang": "py",
        "task": "process_task",
        "id": "x",
        "root_id": "x",
        "parent_id": None,
        "retries": 0,
    }
    properties = BasicProperties(
        content_type="application/json", content_encoding="utf-8", delivery_mode=2, headers=headers
    )
    with stage.channel() as channel:
        channel.confirm_delivery()
        for body in MALFORMED.values():
            channel.basic_publish("", stage.queue, body, properties, mandatory=True)
    stage.submit()
    stage.ledger.settle(timeout=40, quiet=8)
    assert worker.running, tail(worker.log)
    stage.assert_nothing_lost()
    assert sorted(_dead_bodies(stage, len(MALFORMED))) == sorted(MALFORMED.values())


TASK: dict[str, Any] = {
    "lang": "py", "task": "process_task", "id": "x", "root_id": "x", "parent_id": None, "retries": 0,
}  # fmt: skip
NO_TASKS: tuple[dict[str, Any] | None, ...] = (
    None,
    {"task": "no_such_task", "id": "x"},
    {"task": "process_task"},
    {**TASK, "stamped_headers": 5},
    {**TASK, "stamped_headers": [[]]},
    {**TASK, "timelimit": 5},
    {**TASK, "timelimit": ["1", None]},
    {**TASK, "expires": ""},
    {**TASK, "eta": []},
)
"""Headers of messages that are no Celery tasks, and forged ones."""


def test_what_is_no_celery_task_becomes_a_dead_letter_and_takes_no_process_of_the_pool(
    make_stage: MakeStage, fault_node: RabbitNode
) -> None:
    stage = make_stage(fault_node, "celery")
    worker = stage.worker(concurrency=2)
    bodies = [b'[[%d, 0.1, "celery"], {}, {}]' % number for number in range(len(NO_TASKS))]
    with stage.channel() as channel:
        channel.confirm_delivery()
        for body, headers in zip(bodies, NO_TASKS, strict=True):
            properties = BasicProperties(
                content_type="application/json", content_encoding="utf-8", headers=headers
            )
            channel.basic_publish("", stage.queue, body, properties, mandatory=True)
    stage.submit(10)
    stage.ledger.settle(timeout=40, quiet=8)
    assert worker.running, tail(worker.log)
    stage.assert_nothing_lost()
    assert sorted(_dead_bodies(stage, len(NO_TASKS))) == bodies


class Timeless:
    """A header of AMQP's type T, a time far beyond all calendars."""


def _encode(pieces: list[bytes], value: Any, encode: Any = pika.data.encode_value) -> int:
    if not isinstance(value, Timeless):
        return int(encode(pieces, value))
    pieces.append(b"T" + struct.pack(">Q", 2**63))
    return 9


def test_headers_that_no_client_decodes_become_dead_letters_and_nothing_else_notices(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pika.data, "encode_value", _encode)
    worker = stage.worker()
    running = stage.submit(3, seconds=(3.0,))
    properties = BasicProperties(content_type="application/json", headers={"t": Timeless()})  # type: ignore[dict-item]
    broken = BasicProperties(content_type="application/json", content_encoding="utf-8")
    stage.wait_until(lambda counts: counts["IN_PROGRESS"] == 3)
    with stage.channel() as channel:
        channel.confirm_delivery()
        for queue in (stage.queue, amqp.priority_queue(stage.queue)):
            channel.basic_publish("", queue, b'{"a": 1}', properties, mandatory=True)
        for exchange in (amqp.CONTROL_EXCHANGE, *(["celery.pidbox"] if stage.method == "celery" else [])):
            for body in (b"{", b"5", b'{"method": 5}', b"\xff"):
                channel.basic_publish(exchange, "", body, broken)
            channel.basic_publish(exchange, "", b"{}", properties)
    stage.submit(10)
    stage.ledger.settle(timeout=40, quiet=8)
    assert worker.running, tail(worker.log)
    stage.assert_nothing_lost()
    assert [stage.lab.task(task_id)["attempt"] for task_id in running] == [1, 1, 1]
    assert _dead_bodies(stage, 2) == [b'{"a": 1}'] * 2


def _dead_bodies(stage: Stage, count: int) -> list[bytes]:
    """The bodies of the dead letters, once there are `count`, or after ten seconds."""
    deadline = time.monotonic() + 10
    while len(letters := stage.dead_letters()) < count and time.monotonic() < deadline:
        time.sleep(0.2)
    return [
        bytes.fromhex(str(letter["body_hex"])) if letter["body"] is None else str(letter["body"]).encode()
        for letter in letters
    ]
