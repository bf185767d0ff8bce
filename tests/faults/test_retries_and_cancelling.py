"""Retries and cancellations across the death of workers and of the API."""

import time

import pytest

from harness import faults
from harness.ledger import read_logs
from tests.faults.stage import Stage

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def _cancel(stage: Stage, task_id: str) -> None:
    answer = stage.lab.session.post(f"{stage.lab.url}/api/tasks/{task_id}/cancel", json={}, timeout=30)
    assert answer.status_code == 202, answer.text


def _started(stage: Stage) -> int:
    entries = read_logs(worker.log for worker in stage.lab.workers)
    return sum(entry.kind == "started" for entry in entries)


def test_a_retry_outlives_the_worker_that_asked_for_it(stage: Stage) -> None:
    victim = stage.worker("victim")
    stage.submit(20, (0.05,), kind="flaky_task", times=2)
    stage.wait_until(lambda counts: counts.get("RETRYING", 0) >= 10)
    faults.kill_worker(victim)
    stage.ledger.died("victim")
    stage.worker("heir")
    verdict = stage.assert_nothing_lost(timeout=120)
    assert verdict.recovered == verdict.accepted, str(verdict)


def test_a_job_that_always_fails_ends_failed_with_its_error(stage: Stage) -> None:
    stage.worker()
    ids = stage.submit(10, (0.05,), kind="failing_task")
    verdict = stage.verdict(timeout=200)
    assert verdict.failed == set(ids), str(verdict)
    assert verdict.clean, str(verdict)
    assert all("always fails" in stage.lab.task(task_id)["error"] for task_id in ids)


def test_a_cancellation_without_any_worker_outlives_a_killed_api_and_holds(stage: Stage) -> None:
    ids = stage.submit(20, (0.05,))
    for task_id in ids[:10]:
        _cancel(stage, task_id)
    with faults.api_killed(stage.lab):
        time.sleep(0.5)
    stage.worker()
    verdict = stage.verdict(timeout=60)
    assert verdict.clean, str(verdict)
    assert verdict.cancelled == set(ids[:10]), str(verdict)
    assert _started(stage) == 10


@pytest.mark.parametrize("kind", ["process_task", "hanging_task"])
def test_a_running_job_that_is_cancelled_stops_and_its_worker_goes_on(stage: Stage, kind: str) -> None:
    worker = stage.worker(concurrency=2)
    ids = stage.submit(2, (60.0,), kind=kind)
    stage.lab.wait_for(ids, "IN_PROGRESS")
    for task_id in ids:
        _cancel(stage, task_id)
    begin = time.monotonic()
    stage.lab.wait_for(ids, "CANCELLED", timeout=20)
    assert time.monotonic() - begin < 15
    stage.submit(10, (0.05,))
    verdict = stage.verdict()
    assert verdict.clean, str(verdict)
    assert verdict.cancelled == set(ids), str(verdict)
    assert worker.running


def test_a_cancelled_job_of_a_killed_worker_does_not_run_again(stage: Stage) -> None:
    victim = stage.worker("victim")
    ids = stage.submit(2, (30.0,))
    stage.lab.wait_for(ids, "IN_PROGRESS")
    with faults.paused(victim):
        for task_id in ids:
            _cancel(stage, task_id)
        faults.kill_worker(victim)
    stage.ledger.died("victim")
    stage.worker("heir")
    verdict = stage.verdict(timeout=60)
    assert verdict.clean, str(verdict)
    assert verdict.cancelled == set(ids), str(verdict)
    assert _started(stage) == 2
