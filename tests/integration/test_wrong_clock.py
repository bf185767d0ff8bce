"""Workers whose machine's clock is an hour off."""

import time
from pathlib import Path

import pytest
import requests

from harness.lab import Lab
from harness.node import RabbitNode
from lab.settings import Settings
from tests.vhosts import make_vhost
from transports.control import create_control

pytestmark = pytest.mark.slow
HOUR = 3600.0


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_a_wrong_clock_is_told_and_expires_no_job_early(tmp_path: Path, node: RabbitNode, off: float) -> None:
    env = {"LAB_TEST_CLOCK": str(off)}
    url = make_vhost(node)
    with Lab(tmp_path, url, management_url=node.management_url, env=env) as lab:
        worker = lab.process("wrong", "-m", "tests.wrong_clock", "--concurrency", "3", "-n", "wrong@%h")
        lab.workers.append(worker)
        worker.start().wait_for_log("waiting for tasks", timeout=60)
        worker.wait_for_log("clock is", timeout=30)
        control = create_control("rabbitmq", Settings.from_env(lab.env))
        (picture,) = control.pictures()
        control.close()
        assert picture.clock_offset == pytest.approx(off, abs=1)
        lab.wait_for([lab.submit("rabbitmq", 0.0, expires=120)[0]["id"]])
        again = lab.submit("rabbitmq", 0.0, kind="flaky_task", times=1, expires=120)
        lab.wait_for([again[0]["id"]])
        page = _page_with(lab, "ahead" if off > 0 else "behind")
        assert "clock 3600.0" in page.replace(",", "")


def _page_with(lab: Lab, text: str) -> str:
    deadline = time.monotonic() + 30
    while text not in (page := requests.get(f"{lab.url}/control", timeout=20).text):
        assert time.monotonic() < deadline, page
        time.sleep(0.5)
    return page
