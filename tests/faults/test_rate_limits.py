"""Rate limits, measured: how many starts a limit of 120 a minute lets through in half a minute."""

import itertools
from datetime import datetime

import pytest

from lab.settings import Settings
from tests.faults.stage import Stage
from transports.control import create_control

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


# The consumer keeps the limit closely; stock Celery never goes beyond it, and at times starts half as many.
A_MINUTE = {"celery": (54, 132), "rabbitmq": (108, 132)}


def test_a_limit_of_120_a_minute_lets_no_more_than_120_start_in_a_minute(stage: Stage) -> None:
    stage.worker(concurrency=3)
    control = create_control(stage.method, Settings.from_env(stage.lab.env))
    (answer,) = control.rate_limit("process_task", "120/m")
    assert answer.error is None
    ids = stage.submit(61, (0.0,))
    told = stage.lab.wait_for(ids, timeout=90)
    begun = sorted(
        datetime.fromisoformat(event["at"])
        for task in told.values()
        for event in task["events"]
        if event["status"] == "IN_PROGRESS"
    )
    assert len(begun) == 61
    a_minute = 60 * 60 / (begun[-1] - begun[0]).total_seconds()
    gaps = " ".join(f"{(b - a).total_seconds():.2f}" for a, b in itertools.pairwise(begun))
    low, high = A_MINUTE[stage.method]
    assert low <= a_minute <= high, (a_minute, gaps)
