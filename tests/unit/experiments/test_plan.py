import pytest
from pydantic import ValidationError

from experiments.plan import MAX_TASKS, Arm, Plan


def plan(**changes: object) -> Plan:
    return Plan.model_validate({"arms": [Arm(method="sync")] * 2, "jobs": 100, **changes})


def test_all_jobs_of_a_plan_are_counted_the_warm_up_included() -> None:
    assert plan(repetitions=3).tasks == 2 * (3 * 100 + 50)
    assert plan(repetitions=3, jobs=20).tasks == 2 * (3 * 20 + 20)
    assert plan(repetitions=3, warm_up=False).tasks == 600


def test_a_plan_of_more_jobs_than_the_store_shall_keep_is_refused() -> None:
    largest = {"jobs": 100_000, "repetitions": 10, "warm_up": False}
    assert plan(**largest).tasks == MAX_TASKS
    with pytest.raises(ValidationError, match="repetitions: that is 2000100 jobs in all of them"):
        plan(**{**largest, "warm_up": True})


def test_all_messages_together_are_bounded_the_warm_up_included() -> None:
    bytes_of_each = {"payload_bytes": 1_000_000, "jobs": 50, "repetitions": 5}
    assert plan(**bytes_of_each, warm_up=False)
    with pytest.raises(ValidationError, match="at most 500000000 bytes"):
        plan(**bytes_of_each)
