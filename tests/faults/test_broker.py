"""The broker short of memory or disk space."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from harness import faults
from harness.node import RabbitNode
from tests.faults.stage import Stage

pytestmark = pytest.mark.slow

Fault = Callable[[RabbitNode], AbstractContextManager[None]]
ALARMS = {"memory": faults.memory_alarm, "disk space": faults.disk_alarm}


@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.parametrize("alarm", ALARMS.values(), ids=ALARMS.keys())
def test_a_broker_short_of_something_loses_and_doubles_nothing(rough_stage: Stage, alarm: Fault) -> None:
    rough_stage.worker()
    rough_stage.submit(20)
    with alarm(rough_stage.node):
        begin = time.monotonic()
        rough_stage.submit(100)
        assert time.monotonic() - begin < 3, "submission waits for the broker"
        time.sleep(15)
    verdict = rough_stage.assert_nothing_lost(timeout=120)
    assert not verdict.overlapped, str(verdict)
