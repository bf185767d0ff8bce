"""A gateway between the workers and the API that answers for itself: what it says is no answer of the API's."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from tests.faults.stage import Stage
from tests.own_project import own_project
from tests.reverse_proxy import ReverseProxy
from tests.vhosts import make_vhost

pytestmark = pytest.mark.slow

REFUSED_SECONDS = 2.0
ANSWERS = (400, 413, 422, 502)
CUT_BYTES = 500_000
CODE = '''
def writes(bytes: int) -> str:
    """Returns so long a text."""
    return "x" * bytes
'''


def test_what_a_gateway_refuses_for_a_while_is_done_once_in_the_end(stage: Stage) -> None:
    with ReverseProxy(stage.lab.port) as gateway:
        stage.lab.env["API_URL"] = f"{gateway.origin}/update_task_status_api/"
        worker = stage.worker()
        gateway.refuses = ANSWERS[0]
        stage.submit(60)
        for gateway.refuses in ANSWERS:
            time.sleep(REFUSED_SECONDS)
        assert stage.counts()["DONE"] == 0
        gateway.refuses = None
        stage.assert_nothing_lost()
        assert stage.counts()["DONE"] == 60
        assert worker.running


@pytest.fixture
def large_lab(tmp_path: Path, fault_node: RabbitNode) -> Iterator[Lab]:
    """A lab whose own task returns as much as is asked for; its workers are not started."""
    project = own_project(tmp_path / "project", CODE)
    with Lab(tmp_path / "lab", make_vhost(fault_node), root=project) as lab:
        yield lab


def test_a_result_that_a_gateway_cuts_fails_alone_and_those_behind_it_are_done(
    large_lab: Lab, method: str
) -> None:
    with ReverseProxy(large_lab.port) as gateway:
        gateway.cuts_above = CUT_BYTES
        large_lab.env["API_URL"] = f"{gateway.origin}/update_task_status_api/"
        (large_lab.start_celery if method == "celery" else large_lab.start_consumer)()
        body = {"method": method, "kind": "writes", "bytes": 900_000}
        answer = large_lab.session.post(f"{large_lab.url}/api/tasks", json=body, timeout=30)
        (large,) = answer.json()["tasks"]
        small = large_lab.submit(method, 0.01, 18)
        large_lab.wait_for([task["id"] for task in small])
        large_lab.wait_for([large["id"]], "FAILED")
        assert "the way to the API cuts so large a body" in large_lab.task(large["id"])["error"]
