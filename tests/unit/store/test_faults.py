from collections.abc import Iterator

import pytest

from store.faults import INTERRUPTED, LEASE_US, FaultRuns
from store.tasks import KeyReused, Store

PLAN = {"card": "worker-killed", "arms": ["celery:safe"]}
OTHER = {"card": "deploy", "arms": ["celery:safe"]}


@pytest.fixture
def rows(database_url: str) -> Iterator[FaultRuns]:
    store = Store(database_url)
    yield FaultRuns(store.engine)
    store.close()


def test_one_run_at_a_time_is_begun_in_the_order_in_which_they_came(rows: FaultRuns) -> None:
    first, second = rows.add([PLAN, OTHER])
    begun = rows.claim()
    assert begun is not None
    assert begun["id"] == first
    assert rows.claim() is None
    assert rows.finish(first, "DONE", None, None)
    assert not rows.finish(first, "FAILED", "too late", None)
    assert (rows.claim() or {})["id"] == second


def test_the_same_plans_under_the_same_key_are_taken_once(rows: FaultRuns) -> None:
    assert rows.add([PLAN, OTHER], "api:k") == rows.add([PLAN, OTHER], "api:k")
    assert len(rows.add([PLAN], "api:k2")) == 1
    with pytest.raises(KeyReused):
        rows.add([OTHER, PLAN], "api:k")


def test_lists_go_without_what_is_bulky(rows: FaultRuns) -> None:
    (run_id,) = rows.add([PLAN])
    rows.claim()
    rows.tell(run_id, {"marks": {"celery:safe": []}, "depth": {}, "agrees": True})
    (listed,), more = rows.page(5)
    assert (listed["outcome"], more) == ({"agrees": True}, None)
    assert "document" not in listed
    assert (rows.get(run_id) or {})["document"]["marks"] == {"celery:safe": []}
    assert rows.page(5, card="deploy") == ([], None)


def test_a_run_that_waits_is_cancelled_at_once_and_one_that_runs_is_asked_to_end(rows: FaultRuns) -> None:
    first, second = rows.add([PLAN, PLAN])
    rows.claim()
    assert rows.request_cancel(first)
    assert rows.request_cancel(second)
    assert [(rows.get(one) or {})["status"] for one in (first, second)] == ["IN_PROGRESS", "CANCELLED"]
    assert rows.cancelled(first)
    assert not rows.request_cancel(second)
    assert not rows.request_cancel("no such run")


def test_a_run_whose_lease_has_run_out_is_interrupted(
    rows: FaultRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run_id,) = rows.add([PLAN])
    monkeypatch.setattr("store.faults.LEASE_US", -LEASE_US)
    rows.claim()
    rows.interrupt_overdue()
    found = rows.get(run_id) or {}
    assert (found["status"], found["error"]) == ("FAILED", INTERRUPTED)
    assert not rows.renew(run_id)
