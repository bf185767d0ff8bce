"""Two labs on one broker."""

from pathlib import Path

import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from harness.processes import ProcessError, until
from tests.vhosts import make_vhost

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("method", ["celery", "rabbitmq"])
def test_a_worker_never_acknowledges_a_message_of_another_lab(
    fault_node: RabbitNode, method: str, tmp_path: Path
) -> None:
    url, other = make_vhost(fault_node), make_vhost(fault_node)
    with Lab(tmp_path / "one", url) as lab, Lab(tmp_path / "other", other) as foreign:
        foreign.env["RMQ_URL"] = url  # a worker that is pointed at the wrong broker
        task = lab.submit(method)[0]["id"]
        start = foreign.start_celery if method == "celery" else foreign.start_consumer
        worker = start(1)
        (letter,) = lab.wait_for_letters(1, 60)
        assert letter["task_id"] == task
        assert "another lab's" in until(worker.log.read_text, 1)
        assert lab.task(task)["status"] != "DONE"


def test_an_api_of_another_lab_does_not_start_and_one_of_the_same_lab_does(
    fault_node: RabbitNode, tmp_path: Path
) -> None:
    url = make_vhost(fault_node)
    same = {"LAB_SECRET_KEY": "the same"}
    with Lab(tmp_path / "one", url, env=same):
        assert until(
            lambda: "lab.broker.owner" in fault_node.ctl("list_queues", "-q", "-p", url.rpartition("/")[2]),
            20,
        )
        other = Lab(tmp_path / "other", url)
        with pytest.raises(ProcessError, match="Another lab uses the virtual host"):
            other.start_api()
        other.stop()
        with Lab(tmp_path / "second", url, env=same):
            pass
