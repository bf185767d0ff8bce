"""Large workflows, and workers that are killed in the middle of them."""

import secrets
from pathlib import Path

import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from tests import flows
from tests.vhosts import make_vhost

pytestmark = pytest.mark.slow


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("pattern", "count"), [("chord", 1000), ("map", 500), ("chain_group_chord", 300)])
def test_a_large_workflow_completes_with_each_node_run_once(
    tmp_path: Path, fault_node: RabbitNode, method: str, pattern: str, count: int
) -> None:
    vhost = secrets.token_hex(4)
    with Lab(tmp_path, make_vhost(fault_node, vhost), env={"LAB_LOG_LANGUAGE": "en"}) as lab:
        start = lab.start_celery if method == "celery" else lab.start_consumer
        start(concurrency=3)
        sent = flows.send(lab, pattern, method, count=count)
        done = flows.wait_for(lab, sent["id"], timeout=400)
        result = done["result"]
        assert (len(result) if isinstance(result, list) else result["files"]) == count
        assert {node["attempt"] for node in done["nodes"]} == {1}
        for node in done["nodes"]:
            statuses = [event["status"] for event in lab.task(node["id"])["events"]]
            assert statuses == ["PENDING", "IN_PROGRESS", "DONE"]
        flows.assert_queues_empty(fault_node, 60, vhost)


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("pattern", ["chord", "conditional_map"])
def test_workers_killed_again_and_again_lose_no_node_and_double_no_callback(
    tmp_path: Path, fault_node: RabbitNode, method: str, pattern: str
) -> None:
    vhost = secrets.token_hex(4)
    with Lab(tmp_path, make_vhost(fault_node, vhost), env={"LAB_LOG_LANGUAGE": "en"}) as lab:
        start = lab.start_celery if method == "celery" else lab.start_consumer
        workers = [start(concurrency=2, name=f"first-{n}") for n in range(2)]
        sent = flows.send(lab, pattern, method, count=200)
        prefix = "download" if pattern == "chord" else "item"
        for turn, name in enumerate((f"{prefix}-20", f"{prefix}-70", f"{prefix}-120")):
            flows.wait_for_node(lab, sent["id"], name, "DONE", timeout=120)
            workers.pop(0).kill_group()
            workers.append(start(concurrency=2, name=f"heir-{turn}"))
        done = flows.wait_for(lab, sent["id"], timeout=300)
        assert done["result"]["files"] == 200
        body = flows.node_of(done, "write")
        assert body is not None
        assert flows.times_run(tmp_path, body["num"]) == 1
        flows.assert_queues_empty(fault_node, 60, vhost)


@pytest.mark.faults
def test_a_broker_that_is_away_holds_a_workflow_up_and_loses_nothing(
    tmp_path: Path, own_node: RabbitNode, method: str
) -> None:
    with Lab(tmp_path, make_vhost(own_node)) as lab:
        start = lab.start_celery if method == "celery" else lab.start_consumer
        start(concurrency=2)
        own_node.ctl("stop_app")
        sent = flows.send(lab, "chord", method, count=5)
        own_node.ctl("start_app")
        assert flows.wait_for(lab, sent["id"], timeout=90)["result"]["files"] == 5
