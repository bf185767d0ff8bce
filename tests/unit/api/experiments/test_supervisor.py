import sys
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from api.experiments.supervisor import ExperimentSupervisor
from api.services import Services
from experiments.plan import Arm, Plan
from store.experiments import INTERRUPTED, LEASE_US, ExperimentRows, conclude
from store.tasks import NewTask

PLAN = Plan(arms=[Arm(method="sync")], jobs=3)
WAITS_FOR_ITS_PARENT = (sys.executable, "-c", "import sys; sys.stdin.read()")
ENDS_AT_ONCE = (sys.executable, "-c", "")

Make = Callable[..., ExperimentSupervisor]


@pytest.fixture
def rows(parts: Services) -> ExperimentRows:
    return parts.experiments.rows


@pytest.fixture
def make(parts: Services, rows: ExperimentRows) -> Iterator[Make]:
    made: list[ExperimentSupervisor] = []

    def supervisor(command: Sequence[str]) -> ExperimentSupervisor:
        made.append(ExperimentSupervisor(rows, parts.submitter.cancel_all, command))
        made[-1].start()
        return made[-1]

    yield supervisor
    for one in made:
        one.stop()


def wait_for(rows: ExperimentRows, experiment_id: str, status: str) -> None:
    deadline = time.monotonic() + 20
    while (found := rows.get(experiment_id)) is None or found.status != status:
        assert time.monotonic() < deadline, found and found.status
        time.sleep(0.05)


def test_what_waits_is_begun_and_ends_with_the_api(make: Make, rows: ExperimentRows) -> None:
    supervisor = make(WAITS_FOR_ITS_PARENT)
    experiment_id = rows.add(PLAN)
    supervisor.wake()
    wait_for(rows, experiment_id, "IN_PROGRESS")
    supervisor.stop()
    found = rows.get(experiment_id)
    assert found is not None
    assert (found.status, found.error) == ("FAILED", INTERRUPTED)


def test_a_process_that_ends_without_a_word_fails_its_experiment_and_the_next_one_is_begun(
    make: Make, parts: Services, rows: ExperimentRows
) -> None:
    first, second = rows.add(PLAN), rows.add(PLAN)
    new = NewTask("rabbitmq", "experiment_job", {"seconds": 0.0}, 0.0)
    task = parts.store.add(new, experiment_id=first).rows[0]
    make(ENDS_AT_ONCE)
    wait_for(rows, first, "FAILED")
    wait_for(rows, second, "FAILED")
    left = parts.store.get(task["id"])
    assert left is not None
    assert left["status"] == "CANCELLED"


def test_what_a_process_has_ended_and_not_cleaned_up_is_cancelled(
    make: Make, parts: Services, rows: ExperimentRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.experiments.LEASE_US", -LEASE_US)
    experiment_id = rows.add(PLAN)
    new = NewTask("rabbitmq", "experiment_job", {"seconds": 0.0}, 0.0)
    task = parts.store.add(new, relay="the experiment's", experiment_id=experiment_id).rows[0]
    rows.claim()
    assert conclude(rows, experiment_id, "CANCELLED")
    make(WAITS_FOR_ITS_PARENT)
    deadline = time.monotonic() + 20
    while (
        (left := parts.store.get(task["id"])) is None
        or left["status"] != "CANCELLED"
        or rows.not_cleaned_up()
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_has_ended_is_not_worked_up_again(rows: ExperimentRows, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment_id = rows.add(PLAN)
    assert not conclude(rows, experiment_id, "FAILED")  # its turn has not come
    rows.claim()
    assert conclude(rows, experiment_id, "DONE")
    monkeypatch.setattr("store.experiments.totals_of", None)
    assert not conclude(rows, experiment_id, "FAILED")


def test_an_experiment_of_a_process_that_is_gone_fails_when_its_lease_has_run_out(
    make: Make, rows: ExperimentRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment_id = rows.add(PLAN)
    monkeypatch.setattr("store.experiments.LEASE_US", -LEASE_US)
    assert rows.claim() == experiment_id
    make(WAITS_FOR_ITS_PARENT)
    wait_for(rows, experiment_id, "FAILED")
