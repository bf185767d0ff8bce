"""The control: where nothing was done against it, the ledger does show losses."""

import time

import pytest

from harness import faults
from harness.ledger import LedgerVerdict
from harness.node import RabbitNode
from tests.faults.stage import MakeStage, Stage

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def _verdict(stage: Stage) -> LedgerVerdict:
    stage.ledger.settle(timeout=60, quiet=8)
    stage.wait_until_empty()
    return stage.ledger.verdict()


def test_without_a_fault_nothing_is_lost_either(
    make_stage: MakeStage, fault_node: RabbitNode, method: str
) -> None:
    stage = make_stage(fault_node, method, delivery="naive")
    stage.worker()
    stage.submit()
    verdict = _verdict(stage)
    assert verdict.clean, str(verdict)


def _kill_in_the_middle(stage: Stage) -> LedgerVerdict:
    victim = stage.worker("victim")
    stage.submit(seconds=(0.3,))
    stage.wait_until_done(10)
    faults.kill_worker(victim)
    stage.ledger.died("victim")
    stage.worker("heir", concurrency=6)
    return _verdict(stage)


def test_kill_9_of_a_celery_worker_loses_what_it_held(make_stage: MakeStage, fault_node: RabbitNode) -> None:
    verdict = _kill_in_the_middle(make_stage(fault_node, "celery", delivery="naive"))
    assert verdict.lost, str(verdict)
    assert not verdict.duplicated, str(verdict)


def test_kill_9_of_workers_by_the_tutorial_has_what_they_held_run_again(
    make_stage: MakeStage, fault_node: RabbitNode
) -> None:
    verdict = _kill_in_the_middle(make_stage(fault_node, "rabbitmq", delivery="naive"))
    assert verdict.clean, str(verdict)
    assert 1 <= len(verdict.rerun) <= 3, str(verdict)


def test_a_job_that_kills_its_worker_by_the_tutorial_comes_back_for_ever(
    make_stage: MakeStage, fault_node: RabbitNode
) -> None:
    stage = make_stage(fault_node, "rabbitmq", delivery="naive")
    worker = stage.worker(concurrency=1)
    (task,) = stage.lab.submit("rabbitmq", 0, delivery="naive", kind="killer_task")
    (other,) = stage.lab.submit("rabbitmq", 0, delivery="naive")
    begun, deadline = f"задачи {task['num']}\n", time.monotonic() + 90
    # Safe delivery gives it up at its sixth return.
    while worker.log.read_text().count(begun) <= 8:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert stage.lab.task(task["id"])["status"] == "IN_PROGRESS"
    assert stage.lab.task(other["id"])["status"] == "PENDING"


def test_what_is_published_during_a_memory_alarm_dies_with_the_connection(
    make_stage: MakeStage, own_node: RabbitNode, method: str
) -> None:
    stage = make_stage(own_node, method, delivery="naive")
    stage.submit(1, (0,))
    stage.wait_until_published()
    worker = stage.worker()
    stage.verdict()
    with faults.memory_alarm(own_node):
        ids = stage.submit(100, (0.05,))
        stage.wait_until_published()
        time.sleep(2)
        # The broker does not read: what counts as sent lies in a buffer, and no worker has seen it.
        assert stage.ready() == 0
        assert {stage.lab.task(task_id)["status"] for task_id in ids} == {"PENDING"}
        with faults.broker_killed(own_node):
            pass
    verdict = _verdict(stage)
    assert worker.running
    assert verdict.lost == set(ids), str(verdict)


def test_a_flood_beyond_the_queue_loses_the_oldest(
    make_stage: MakeStage, fault_node: RabbitNode, method: str
) -> None:
    stage = make_stage(fault_node, method, delivery="naive")
    with faults.short_queue(fault_node, stage.queue, 10, stage.vhost):
        stage.submit(100, (0.05,))
        stage.wait_until_published()
        stage.worker()
        verdict = _verdict(stage)
    assert len(verdict.lost) == 90, str(verdict)


def test_the_same_flood_loses_nothing_in_safe_mode(stage: Stage) -> None:
    with faults.short_queue(stage.node, stage.queue, 10, stage.vhost):
        stage.submit(100, (0.05,))
        time.sleep(3)
        stage.worker()
        stage.assert_nothing_lost()
