"""Messages that are lost without a word to anybody: each is found, and said on the page, within a minute."""

import time
from collections.abc import Callable

import pytest
import requests

from harness import faults
from harness.node import RabbitNode
from tests.faults.stage import MakeStage, Stage
from tests.vhosts import make_vhost

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(300)]

FOUND_SECONDS = 120.0  # a minute is promised; the machine may be busy
COUNT = 5


def _purged(stage: Stage) -> None:
    with stage.channel() as channel:
        channel.queue_purge(stage.queue)


def _deleted(stage: Stage) -> None:
    with stage.channel() as channel:
        channel.queue_delete(stage.queue)


def _acknowledged_by_a_stranger(stage: Stage) -> None:
    with stage.channel() as channel:
        while channel.basic_get(stage.queue, auto_ack=True)[0] is not None:
            pass


def _rejected_by_a_stranger(stage: Stage) -> None:
    with stage.channel() as channel:
        while (method := channel.basic_get(stage.queue)[0]) is not None:
            channel.basic_reject(method.delivery_tag, requeue=False)


def _crowded_out(stage: Stage) -> None:
    with faults.short_queue(stage.node, stage.queue, 0, stage.vhost):
        time.sleep(2)


def _wiped(stage: Stage) -> None:
    login = (stage.node.user, stage.node.password)
    url = f"{stage.node.management_url}api/vhosts/{stage.vhost}"
    requests.delete(url, auth=login, timeout=30).raise_for_status()
    make_vhost(stage.node, stage.vhost)


WAYS = [
    ("rabbitmq", "safe", _purged),
    ("celery", "safe", _purged),
    ("celery", "safe", _deleted),
    ("rabbitmq", "safe", _acknowledged_by_a_stranger),
    ("rabbitmq", "naive", _rejected_by_a_stranger),
    ("celery", "naive", _crowded_out),
    ("rabbitmq", "safe", _wiped),
]


def _wait_until_found(stage: Stage, ids: list[str]) -> None:
    """Waits until the page has said so, and the history of each task."""
    deadline, said, left = time.monotonic() + FOUND_SECONDS, False, list(ids)
    stage.lab.session.cookies.set("lang", "en")
    while left or not said:
        assert time.monotonic() < deadline, f"said: {said}, not found: {left}"
        page = stage.lab.session.get(f"{stage.lab.url}/", timeout=30).text
        said = said or f'"chip-value">{len(ids)} tasks are nowhere<' in page
        left = [task_id for task_id in left if not _is_found(stage.lab.task(task_id))]
        time.sleep(1)


def _is_found(task: dict[str, object]) -> bool:
    return any(str(event["error"]).startswith("lost: ") for event in task["events"])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("transport", "delivery", "lose"), WAYS, ids=[f"{way[2].__name__[1:]} {way[0]} {way[1]}" for way in WAYS]
)
def test_what_is_lost_in_a_queue_is_found(
    make_stage: MakeStage,
    fault_node: RabbitNode,
    transport: str,
    delivery: str,
    lose: Callable[[Stage], None],
) -> None:
    stage = make_stage(fault_node, transport, delivery=delivery)
    ids = stage.submit(COUNT, (0.05,))
    stage.wait_until_published()
    lose(stage)
    _wait_until_found(stage, ids)
    if delivery == "naive":
        assert {stage.lab.task(task_id)["status"] for task_id in ids} == {"FAILED"}
        return
    stage.worker()
    stage.assert_nothing_lost()
    assert {stage.lab.task(task_id)["attempt"] for task_id in ids} == {1}


def test_what_dies_with_a_naive_worker_is_found(make_stage: MakeStage, fault_node: RabbitNode) -> None:
    stage = make_stage(fault_node, "celery", delivery="naive")
    worker = stage.worker(concurrency=COUNT)
    ids = stage.submit(COUNT, (60.0,))
    stage.wait_until(lambda counts: counts.get("IN_PROGRESS") == COUNT)
    faults.kill_worker(worker)
    _wait_until_found(stage, ids)
    assert {stage.lab.task(task_id)["status"] for task_id in ids} == {"FAILED"}


def test_what_waits_runs_or_is_to_be_tried_again_is_never_called_lost(stage: Stage) -> None:
    stage.worker(concurrency=2)
    stage.submit(3, (45.0,))
    stage.submit(2, (0.05,), countdown=40)
    stage.submit(5, (0.05,))
    tasks = stage.lab.wait_for(list(stage.ledger.ids), timeout=200)
    assert not any(map(_is_found, tasks.values()))
