import time
from collections.abc import Iterator

import pytest
from sqlalchemy.exc import OperationalError

from api.experiments.lease import Lease
from api.services import Services
from experiments.plan import Arm, Plan
from store.experiments import ExperimentRows


@pytest.fixture
def rows(parts: Services) -> ExperimentRows:
    return parts.experiments.rows


@pytest.fixture
def lease(rows: ExperimentRows) -> Iterator[Lease]:
    experiment_id = rows.add(Plan(arms=[Arm(method="sync")], jobs=1))
    assert rows.claim() == experiment_id
    held = Lease(rows, experiment_id)
    held.start()
    yield held
    held.end()


def the_one(rows: ExperimentRows) -> str:
    return rows.page(1)[0][0].id


def test_a_lease_is_held_until_the_user_cancels(rows: ExperimentRows, lease: Lease) -> None:
    time.sleep(1.2)
    assert not lease.stop.is_set()
    rows.request_cancel(the_one(rows))
    assert lease.stop.wait(10)
    assert lease.cancelled


@pytest.mark.parametrize(("preparing", "status"), [(True, "CANCELLED"), (False, "IN_PROGRESS")])
def test_a_cancellation_ends_at_once_what_is_still_being_prepared(
    rows: ExperimentRows, lease: Lease, preparing: bool, status: str
) -> None:
    lease.preparing = preparing
    rows.request_cancel(the_one(rows))
    assert lease.stop.wait(10)
    assert rows.page(1)[0][0].status == status


def away(*_: object) -> bool:
    raise OperationalError("", {}, Exception("away"))


def test_a_store_that_is_away_for_longer_than_the_lease_ends_it(
    rows: ExperimentRows, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.experiments.lease.LEASE_US", 100_000)
    time.sleep(1.2)
    assert not lease.stop.is_set()
    monkeypatch.setattr(rows, "renew", away)
    assert lease.stop.wait(10)
    assert not lease.cancelled


def test_a_cancellation_counts_though_its_end_cannot_be_stored(
    rows: ExperimentRows, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.experiments.lease.conclude", away)
    rows.request_cancel(the_one(rows))
    assert lease.stop.wait(10)
    assert lease.cancelled


def test_a_lease_that_somebody_else_has_ended_is_over(rows: ExperimentRows, lease: Lease) -> None:
    rows.finish(the_one(rows), "FAILED", "given up", [], [])
    assert lease.stop.wait(10)
    assert not lease.cancelled
