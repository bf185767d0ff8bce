"""Groups when they are cancelled, and when the result backend is away."""

from pathlib import Path

import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from tests.vhosts import make_vhost

pytestmark = pytest.mark.slow


def test_of_a_cancelled_group_of_twenty_at_most_five_ever_start_even_by_a_new_worker(
    tmp_path: Path, node: RabbitNode
) -> None:
    with Lab(tmp_path, make_vhost(node), env={"LAB_IMAGE_SECONDS": "3"}) as lab:
        worker = lab.start_celery(concurrency=2)
        group_id = lab.process_images([f"{i}.jpg" for i in range(20)])
        lab.wait_for_share(group_id, 1 / 20)
        told = lab.session.delete(f"{lab.url}/cancel/{group_id}", timeout=10).json()
        assert told["cancelled"] >= 15
        assert sum(told.values()) == 20
        worker.kill_group()
        lab.start_celery(concurrency=2, name="next")
        after = lab.process_images(["after.jpg"])
        lab.wait_for_share(after, timeout=30)
        tasks = lab.session.get(f"{lab.url}/api/groups/{group_id}", timeout=10).json()["group"]["tasks"]
        begun = [task["num"] for task in tasks if task["started_at"]]
        assert len(begun) <= 5
        assert {task["status"] for task in tasks} <= {"DONE", "CANCELLED"}
        log = (tmp_path / "log" / "next.log").read_text()
        assert not any(f"задачи {task['num']}\n" in log for task in tasks if task["num"] not in begun)


def test_the_result_backend_being_away_holds_up_no_other_task(tmp_path: Path, node: RabbitNode) -> None:
    nowhere = "redis://127.0.0.1:1/0?socket_connect_timeout=1"
    with Lab(
        tmp_path,
        make_vhost(node),
        env={"RESULT_BACKEND": nowhere, "LAB_IMAGE_SECONDS": "0"},
    ) as lab:
        lab.start_celery(concurrency=1)
        group_id = lab.process_images(["a.jpg"])
        assert lab.share(group_id) == 0.0
        lab.wait_for([lab.submit("celery", 0)[0]["id"]], timeout=60)
