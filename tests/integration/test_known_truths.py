"""Experiments on real workers whose outcome is known beforehand."""

import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest

from experiments.between import Change, between
from experiments.model import Answer, Experiment
from harness.lab import Lab
from harness.node import RabbitNode
from tests.faults.stage import make_vhost
from tests.slow_consumer import SECONDS

pytestmark = pytest.mark.slow

CONSUMER = {"method": "rabbitmq"}
CALM = {"law": "open", "rate": 40, "spacing": "even"}
"""Few enough jobs that a worker which takes 25 ms for each lets none wait."""

SLOWER_MS = SECONDS * 1000
TOLERATED_MS = 0.5  # by which a sleep is longer in one experiment than in another on a busy machine


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory, node: RabbitNode) -> Iterator[Lab]:
    """A lab without workers."""
    url = make_vhost(node, secrets.token_hex(4))
    with Lab(tmp_path_factory.mktemp("lab"), url, management_url=node.management_url) as running:
        yield running


def run(lab: Lab, **plan: Any) -> Experiment:
    """Runs `plan` to its end."""
    answer = lab.session.post(f"{lab.url}/api/experiments", json={"equalise": False, **plan}, timeout=30)
    assert answer.status_code == 202, answer.text
    path, deadline = f"{lab.url}/api/experiments/{answer.json()['id']}", time.monotonic() + 150
    while lab.session.get(f"{path}?runs=false", timeout=30).json()["status"] in ("PENDING", "IN_PROGRESS"):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    found = lab.session.get(path, timeout=30).json()
    found.pop("race")
    ended = Experiment.model_validate(found)
    assert (ended.status, ended.error) == ("DONE", None)
    return ended


def test_a_worker_that_is_slowed_by_20_ms_a_job_shows_it_in_the_overhead_and_nowhere_else(lab: Lab) -> None:
    plan = {
        "arms": [CONSUMER],
        "jobs": 60,
        "arrival": CALM,
        "duration": {"law": "fixed", "seconds": 0.005},
        "repetitions": 5,
    }
    worker = lab.start_consumer()
    as_it_is = run(lab, **plan)
    worker.terminate(timeout=30)
    slow = lab.process("slow", "-m", "tests.slow_consumer", "--concurrency", "3", "-n", "slow@%h")
    lab.workers.append(slow)
    slow.start().wait_for_log("waiting for tasks", timeout=60)
    slowed = run(lab, **plan)

    changes = {change.figure: change for change in between(as_it_is, slowed).changes}
    overhead = changes["overhead.p50"]
    low, high = bounds(overhead)
    assert overhead.answer is Answer.DIFFERS
    assert low - TOLERATED_MS <= SLOWER_MS <= high + TOLERATED_MS, overhead
    for figure in ("publish.p50", "queue.p50"):
        assert abs(changes[figure].difference.value) < SLOWER_MS / 2, changes[figure]
    end_to_end = changes["end_to_end.p50"]
    assert abs(end_to_end.difference.value - SLOWER_MS) < SLOWER_MS / 2, end_to_end


def bounds(change: Change) -> tuple[float, float]:
    low, high = change.difference.low, change.difference.high
    assert low is not None
    assert high is not None
    return low, high


@pytest.mark.timeout(900)
def test_two_equal_arms_give_no_difference_shown_in_nine_of_ten_experiments(lab: Lab) -> None:
    lab.start_consumer()
    shown = []
    for seed in range(10):
        found = run(
            lab,
            arms=[CONSUMER, CONSUMER],
            jobs=150,
            duration={"law": "fixed", "seconds": 0.005},
            repetitions=5,
            seed=seed,
        )
        (throughput,) = [one for one in found.comparisons if one.figure == "throughput"]
        shown.append(throughput.answer is Answer.DIFFERS)
    assert shown.count(True) <= 1, shown
