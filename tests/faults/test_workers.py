"""Workers that are killed, stopped, or given a job that kills them."""

import random
import time

import pytest

from harness import faults
from harness.node import RabbitNode
from harness.processes import ManagedProcess
from tests.faults.stage import MakeStage, Stage

pytestmark = pytest.mark.slow


def test_kill_9_of_a_whole_worker_loses_and_doubles_nothing(stage: Stage) -> None:
    victim = stage.worker("victim")
    stage.submit(seconds=(0.1, 0.3))
    stage.wait_until_done(20)
    faults.kill_worker(victim)
    stage.ledger.died("victim")
    stage.worker("heir", concurrency=6)
    verdict = stage.assert_nothing_lost()
    assert verdict.recovered
    assert not verdict.overlapped


def test_kill_9_of_a_pool_child_loses_and_doubles_nothing(
    make_stage: MakeStage, fault_node: RabbitNode
) -> None:
    stage = make_stage(fault_node, "celery")
    worker = stage.worker("victim")
    stage.submit(seconds=(0.1, 0.3))
    for done in (10, 40, 70):
        stage.wait_until_done(done)
        faults.kill_pool_child(worker)
        stage.ledger.died("victim")
    verdict = stage.assert_nothing_lost()
    assert verdict.recovered
    assert not verdict.overlapped


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_twenty_random_kills_in_a_minute_lose_and_double_nothing(stage: Stage) -> None:
    # Kept short of the delivery limit: each kill returns what the victim held.
    workers = [stage.worker(name) for name in ("one", "two", "three")]
    rng = random.Random(3)

    def note(worker: ManagedProcess) -> None:
        stage.ledger.died(worker.log.stem)

    stage.submit(300, (0.5,))
    faults.random_kills(workers, 20, 60.0, rng=rng, on_kill=note)
    verdict = stage.assert_nothing_lost(timeout=120)
    assert verdict.recovered
    assert not verdict.overlapped, str(verdict)


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_a_worker_stopped_for_forty_seconds_loses_and_doubles_nothing(stage: Stage) -> None:
    sleeper = stage.worker("sleeper")
    stage.submit(seconds=(0.1, 0.3))
    stage.wait_until_done(20)
    with faults.paused(sleeper):
        stage.worker("heir")
        time.sleep(40)
    verdict = stage.assert_nothing_lost(timeout=120)
    # What the sleeper held was done by the heir, and the sleeper's own end came too late to count.
    assert verdict.recovered
    assert len(verdict.overlapped) <= 3


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_a_job_that_always_kills_its_worker_fails_and_is_a_dead_letter(stage: Stage) -> None:
    worker = stage.worker("victim")
    killers = stage.submit(2, (0.3,), kind="killer_task")
    stage.submit()
    with faults.restarted([worker], lambda dead: stage.ledger.died(dead.log.stem)):
        verdict = stage.verdict(timeout=200)
    assert verdict.clean, str(verdict)
    assert verdict.failed == set(killers)
    for task in (stage.lab.task(task_id) for task_id in killers):
        assert task["error"]
        begun = {event["attempt"] for event in task["events"] if event["status"] == "IN_PROGRESS"}
        assert 2 <= len(begun) <= 7
    assert {letter["task_id"] for letter in stage.dead_letters()} == set(killers)


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_jobs_beside_those_that_kill_their_worker_are_not_given_up(stage: Stage) -> None:
    worker = stage.worker("victim")
    long = stage.submit(1, (20.0,))
    killers = stage.submit(12, (0.3,), kind="killer_task")
    innocents = stage.submit(60, (1.0,))
    with faults.restarted([worker], lambda dead: stage.ledger.died(dead.log.stem)):
        verdict = stage.verdict(timeout=240)
    assert verdict.clean, str(verdict)
    assert verdict.failed == set(killers)
    assert {stage.lab.task(task)["status"] for task in (*long, *innocents)} == {"DONE"}
    assert {letter["task_id"] for letter in stage.dead_letters()} == set(killers)
