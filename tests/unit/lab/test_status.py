import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lab.status import StatusUpdate, TaskStatus, UpdateAnswer, may_follow

S = TaskStatus
statuses = st.sampled_from(list(TaskStatus))
attempts = st.integers(0, 5)


def test_a_task_goes_pending_in_progress_done() -> None:
    assert may_follow(S.PENDING, 0, S.IN_PROGRESS, 1)
    assert may_follow(S.IN_PROGRESS, 1, S.DONE, 1)


def test_an_end_may_overtake_its_beginning() -> None:
    assert may_follow(S.PENDING, 0, S.DONE, 1)


def test_a_retry_begins_the_next_attempt() -> None:
    assert may_follow(S.IN_PROGRESS, 1, S.RETRYING, 1)
    assert not may_follow(S.RETRYING, 1, S.IN_PROGRESS, 1)
    assert may_follow(S.RETRYING, 1, S.IN_PROGRESS, 2)


@given(statuses, attempts, statuses, attempts)
def test_nothing_leaves_a_final_status(old: S, old_attempt: int, new: S, new_attempt: int) -> None:
    if old.final:
        assert not may_follow(old, old_attempt, new, new_attempt)


@given(statuses, attempts, statuses, attempts)
def test_an_earlier_attempt_changes_nothing(old: S, old_attempt: int, new: S, new_attempt: int) -> None:
    if new_attempt < old_attempt:
        assert not may_follow(old, old_attempt, new, new_attempt)


@given(statuses, attempts, st.lists(st.tuples(statuses, st.integers(1, 5)), max_size=8))
def test_no_sequence_of_updates_visits_a_stand_twice(
    status: S, attempt: int, updates: list[tuple[S, int]]
) -> None:
    seen = {(status, attempt)}
    for new, new_attempt in updates:
        if may_follow(status, attempt, new, new_attempt):
            assert (new, new_attempt) not in seen
            status, attempt = new, new_attempt
            seen.add((status, attempt))


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "BEGUN"},
        {"status": "DONE", "attempt": 0},
        {"status": "DONE", "attempt": "2"},
        {"status": "DONE", "progress": 1.5},
        {"status": "DONE", "progress": float("nan")},
        {"status": "DONE", "at": "yesterday"},
        {"status": "DONE", "at": "2026-01-31T12:00:00"},
        {"status": "DONE", "at": 1700000000},
        {"status": "DONE", "worker": "w" * 256},
        {"status": "DONE", "error": 5},
        {},
    ],
)
def test_a_malformed_update_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        StatusUpdate.model_validate({"task_id": "x", **fields})


def test_a_job_runs_unless_its_task_has_ended_or_is_cancelled() -> None:
    assert UpdateAnswer(task_id="x").run
    assert UpdateAnswer(task_id="x", status=S.IN_PROGRESS).run
    assert UpdateAnswer(task_id="x", error="unknown task").run
    assert not UpdateAnswer(task_id="x", status=S.DONE).run
    assert not UpdateAnswer(task_id="x", status=S.IN_PROGRESS, cancel=True).run
