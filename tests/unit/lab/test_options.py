import pytest
from pydantic import ValidationError

from lab.clock import LAST_US
from lab.job import Job
from lab.options import Options

NOW = 1_000_000_000


def test_a_job_without_options_is_short_on_the_wire() -> None:
    job = Job(task_id="x", num=7, params={"timeout": 0.0}, token="t")
    assert job.to_json() == b'{"task_id":"x","num":7,"params":{"timeout":0.0},"token":"t"}'


def test_options_travel_with_the_job_and_come_back_the_same() -> None:
    options = Options.model_validate(
        {"not_before_us": 5, "expires_us": 9, "priority": 3, "retry": {"policy": "fixed", "delay": 2.0}}
    )
    job = Job(task_id="x", num=7, options=options, link=Job(task_id="y", num=8, kind="add"))
    assert Job.model_validate_json(job.to_json()) == job


@pytest.mark.parametrize(
    "fields",
    [
        {"priority": -1},
        {"priority": 10},
        {"priority": 1.5},
        {"not_before_us": -1},
        {"not_before_us": 10**400},
        {"not_before_us": LAST_US},
        {"expires_us": 2**63},
        {"retry": {"policy": "sometimes"}},
        {"retry": {"policy": "fixed", "delay": -1.0}},
        {"retry": {"policy": "fixed", "delay": 86_401.0}},
        {"retry": {"policy": "exponential", "base": 0.0}},
        {"retry": {"policy": "exponential", "cap": float("inf")}},
        {"hurry": True},
    ],
)
def test_what_is_out_of_its_bounds_is_no_option(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate(fields)


def test_seconds_are_left_until_the_time_has_come() -> None:
    options = Options(not_before_us=NOW + 1_500_000)
    assert options.seconds_left(NOW) == 1.5
    assert options.seconds_left(NOW + 1_500_000) == 0.0
    assert options.seconds_left(NOW + 9_000_000) == 0.0
    assert Options().seconds_left(NOW) == 0.0


def test_a_job_expires_after_its_time_and_not_at_it() -> None:
    assert not Options(expires_us=NOW).expired(NOW)
    assert Options(expires_us=NOW).expired(NOW + 1)
    assert not Options().expired(NOW)


def test_what_a_job_gives_goes_into_the_first_parameter_that_the_next_one_lacks() -> None:
    named = {"x": 1.0, "y": 2.0}
    assert Job(task_id="x", num=1, kind="multiply", params={"y": 10.0}).with_input(8.0).params == {
        "x": 8.0,
        "y": 10.0,
    }
    assert Job(task_id="x", num=1, kind="multiply", params=named).with_input(8.0).params == named
    assert Job(task_id="x", num=1, kind="word_count").with_input("a b").params == {"text": "a b"}
