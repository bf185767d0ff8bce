"""Workers that are killed again and again, by somebody or by their jobs."""

import random

import pytest

from harness import faults
from harness.processes import ManagedProcess
from tests.faults.stage import Stage

pytestmark = pytest.mark.slow


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
