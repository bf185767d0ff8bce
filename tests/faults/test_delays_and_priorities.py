"""Countdowns across the death of the broker, and urgent tasks that kill their workers."""

import time
from datetime import datetime
from typing import Any

import pytest

from harness.node import RabbitNode
from tests.faults.stage import Stage

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def _starts(task: dict[str, Any]) -> list[datetime]:
    return [
        datetime.fromisoformat(event["at"]) for event in task["events"] if event["status"] == "IN_PROGRESS"
    ]


def test_an_urgent_task_that_kills_its_workers_is_given_up(stage: Stage) -> None:
    worker = stage.worker("worker0", concurrency=1)
    (task,) = stage.lab.submit(stage.method, kind="killer_task", priority=9)
    deadline, n = time.monotonic() + 120, 0
    while stage.lab.task(task["id"])["status"] != "FAILED":
        assert time.monotonic() < deadline, stage.lab.task(task["id"])
        if not worker.running:
            n += 1
            worker = stage.worker(f"worker{n}", concurrency=1)
        time.sleep(0.2)
    told = stage.lab.task(task["id"])
    convicted = {"celery": "came back too often", "rabbitmq": "the job ended its process (SIGKILL)"}
    assert convicted[stage.method] in told["error"]
    assert len(_starts(told)) <= 8


@pytest.mark.parametrize("killed", [False, True])
def test_a_countdown_outlives_the_broker(rough_stage: Stage, own_node: RabbitNode, killed: bool) -> None:
    stage = rough_stage
    stage.worker(concurrency=1)
    for seconds in (20.0, 40.0):
        stage.lab.submit(stage.method, countdown=seconds)
    time.sleep(5)  # a quorum queue that was made just before its node is killed may come back empty
    tasks = [stage.lab.submit(stage.method, countdown=seconds)[0] for seconds in (20.0, 25.0, 40.0)]
    deadline = time.monotonic() + 10
    while any(stage.lab.task(task["id"])["published_at"] is None for task in tasks):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    own_node.kill() if killed else own_node.stop()
    own_node.start()
    told = stage.lab.wait_for([task["id"] for task in tasks], timeout=120)
    late = [
        (_starts(told[task["id"]])[0] - datetime.fromisoformat(task["options"]["not_before"])).total_seconds()
        for task in tasks
    ]
    assert min(late) >= 0, late
    assert late[-1] < 5.0, late
