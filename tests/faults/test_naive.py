"""The control: nothing is lost without a fault, and a queue that is full loses what nobody confirmed."""

import time

import pytest

from harness import faults
from harness.ledger import LedgerVerdict
from harness.node import RabbitNode
from tests.faults.stage import MakeStage, Stage

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def _verdict(stage: Stage) -> LedgerVerdict:
    stage.ledger.settle(timeout=60, quiet=8)
    stage.wait_until_empty()
    return stage.ledger.verdict()


def test_without_a_fault_nothing_is_lost_either(
    make_stage: MakeStage, fault_node: RabbitNode, method: str
) -> None:
    stage = make_stage(fault_node, method, delivery="naive")
    stage.worker()
    stage.submit()
    verdict = _verdict(stage)
    assert verdict.clean, str(verdict)


def test_a_flood_beyond_the_queue_loses_the_oldest(
    make_stage: MakeStage, fault_node: RabbitNode, method: str
) -> None:
    stage = make_stage(fault_node, method, delivery="naive")
    with faults.short_queue(fault_node, stage.queue, 10, stage.vhost):
        stage.submit(100, (0.05,))
        stage.wait_until_published()
        stage.worker()
        verdict = _verdict(stage)
    assert len(verdict.lost) == 90, str(verdict)


def test_the_same_flood_loses_nothing_in_safe_mode(stage: Stage) -> None:
    with faults.short_queue(stage.node, stage.queue, 10, stage.vhost):
        stage.submit(100, (0.05,))
        time.sleep(3)
        stage.worker()
        stage.assert_nothing_lost()
