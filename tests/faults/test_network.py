"""The line between the lab and its broker: silent, and slow."""

import time

import pytest

from harness.node import RabbitNode
from harness.proxy import TcpProxy
from tests.faults.stage import MakeStage

pytestmark = pytest.mark.slow


@pytest.mark.faults
@pytest.mark.timeout(400)
def test_a_minute_of_silence_loses_and_doubles_nothing(
    make_stage: MakeStage, fault_node: RabbitNode, proxy_to_broker: TcpProxy, method: str
) -> None:
    stage = make_stage(fault_node, method, through=proxy_to_broker)
    stage.worker()
    stage.submit(seconds=(0.1, 0.3))
    stage.wait_until_done(20)
    proxy_to_broker.blackhole()
    time.sleep(30)
    begin = time.monotonic()
    stage.submit(20)
    assert time.monotonic() - begin < 5, "submission waits for the broker"
    time.sleep(30)
    proxy_to_broker.heal()
    verdict = stage.assert_nothing_lost(timeout=150)
    assert not verdict.overlapped, str(verdict)


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_a_slow_and_distant_broker_loses_and_doubles_nothing(
    make_stage: MakeStage, fault_node: RabbitNode, proxy_to_broker: TcpProxy, method: str
) -> None:
    stage = make_stage(fault_node, method, through=proxy_to_broker)
    # A Celery worker that starts makes about a hundred round trips without a heartbeat in between; were each
    # much longer, the broker would close the connection before it is ready, each time anew.
    proxy_to_broker.latency(0.03)
    proxy_to_broker.slow(20_000)
    stage.worker()
    stage.submit()
    verdict = stage.assert_nothing_lost(timeout=200)
    assert not verdict.rerun, str(verdict)
