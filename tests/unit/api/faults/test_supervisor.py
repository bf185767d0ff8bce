import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from api.faults.supervisor import FaultSupervisor
from api.services import Services
from faults.document import FaultPlan
from store.faults import INTERRUPTED, FaultRuns
from tests.fault_samples import a_document, an_engine

PLAN = FaultPlan(card="worker-killed", arms=("celery:safe",), seed=7)
DOCUMENT = a_document("celery:safe")

Make = Callable[[Sequence[str]], FaultSupervisor]


@pytest.fixture
def rows(parts: Services) -> FaultRuns:
    return parts.faults.rows


@pytest.fixture
def make(rows: FaultRuns, tmp_path: Path) -> Iterator[Make]:
    made: list[FaultSupervisor] = []

    def supervisor(command: Sequence[str]) -> FaultSupervisor:
        made.append(FaultSupervisor(rows, tmp_path / "faults", command))
        made[-1].start()
        return made[-1]

    yield supervisor
    for one in made:
        one.stop()


def add(rows: FaultRuns) -> str:
    return rows.add([PLAN.model_dump(mode="json")])[0]


def wait_for(rows: FaultRuns, run_id: str, status: str) -> None:
    deadline = time.monotonic() + 20
    while (found := rows.get(run_id)) is None or found["status"] != status:
        assert time.monotonic() < deadline, found and (found["status"], found["error"])
        time.sleep(0.02)


def test_runs_are_carried_out_one_after_the_other_and_what_the_engine_tells_is_kept(
    make: Make, rows: FaultRuns, tmp_path: Path
) -> None:
    first, second = add(rows), add(rows)
    make(an_engine(DOCUMENT))
    wait_for(rows, second, "DONE")
    found = rows.get(first) or {}
    assert found["status"] == "DONE"
    assert found["document"]["marks"] == DOCUMENT["marks"]
    assert "marks" not in found["outcome"]
    assert list((tmp_path / "faults").iterdir()) == []


def test_what_the_engine_tells_is_kept_while_it_runs(make: Make, rows: FaultRuns) -> None:
    run_id = add(rows)
    make(an_engine(DOCUMENT, "waits"))
    deadline = time.monotonic() + 20
    while (rows.get(run_id) or {})["document"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_that_is_cancelled_ends_within_three_seconds(make: Make, rows: FaultRuns) -> None:
    for ends in ("waits", "deaf"):
        run_id = add(rows)
        supervisor = make(an_engine(DOCUMENT, ends))
        wait_for(rows, run_id, "IN_PROGRESS")
        asked = time.monotonic()
        rows.request_cancel(run_id)
        wait_for(rows, run_id, "CANCELLED")
        assert time.monotonic() - asked < 3.0
        supervisor.stop()


def test_a_run_ends_with_the_api(make: Make, rows: FaultRuns) -> None:
    run_id = add(rows)
    supervisor = make(an_engine(DOCUMENT, "waits"))
    wait_for(rows, run_id, "IN_PROGRESS")
    supervisor.stop()
    found = rows.get(run_id) or {}
    assert (found["status"], found["error"]) == ("FAILED", INTERRUPTED)


def test_an_engine_that_fails_is_quoted(make: Make, rows: FaultRuns) -> None:
    run_id = add(rows)
    make(an_engine(DOCUMENT, "fails"))
    wait_for(rows, run_id, "FAILED")
    assert (rows.get(run_id) or {})["error"] == "no room for a broker"
