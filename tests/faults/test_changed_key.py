"""An API that is started again with another `LAB_SECRET_KEY` while messages wait."""

from pathlib import Path

import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from harness.processes import until
from tests.vhosts import make_vhost

pytestmark = pytest.mark.slow


def _restart_with(lab: Lab, keys: dict[str, str]) -> list[str]:
    """Has two tasks of each method wait while the lab's key changes; returns their ids."""
    tasks = [*lab.submit("celery", count=2), *lab.submit("rabbitmq", count=2)]
    sent = lambda: "lab_outbox_tasks 0.0" in lab.session.get(f"{lab.url}/metrics", timeout=30).text  # noqa: E731
    assert until(sent, 30, 0.5)
    lab.api.env.update(keys)
    lab.restart_api()
    lab.start_celery(1)
    lab.start_consumer(1)
    return [task["id"] for task in tasks]


def test_tasks_that_waited_end_done_where_the_new_key_names_the_former(
    fault_node: RabbitNode, tmp_path: Path
) -> None:
    with Lab(tmp_path, make_vhost(fault_node), env={"LAB_SECRET_KEY": "old"}) as lab:
        tasks = _restart_with(lab, {"LAB_SECRET_KEY": "new", "LAB_FORMER_SECRET_KEYS": "old"})
        lab.wait_for([*tasks, *(task["id"] for task in lab.submit("rabbitmq"))])
        assert until(lambda: lab.session.get(f"{lab.url}/readyz", timeout=30).ok, 30)


def test_a_lab_whose_new_key_names_no_former_says_that_reports_are_refused(
    fault_node: RabbitNode, tmp_path: Path
) -> None:
    with Lab(tmp_path, make_vhost(fault_node), env={"LAB_SECRET_KEY": "old"}) as lab:
        tasks = _restart_with(lab, {"LAB_SECRET_KEY": "new"})
        ready = lambda: lab.session.get(f"{lab.url}/readyz", timeout=30)  # noqa: E731
        assert until(lambda: "reports are refused" in ready().text, 60, 0.5)
        assert ready().status_code == 503
        letters = lab.wait_for_letters(len(tasks), 60)
        assert {letter["task_id"] for letter in letters} == set(tasks)
