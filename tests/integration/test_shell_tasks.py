"""The tasks of Celery's guides, line by line as a Python shell takes them, and what the API tells of them."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from tests.vhosts import make_vhost

IMPORTS = """
from datetime import datetime, timedelta, timezone
from celery import chain, chord, group, signature
from celery_tasks import add, multiply, process_image, process_task, reliable_task, send_email
"""


@pytest.fixture(scope="module")
def own_lab(tmp_path_factory: pytest.TempPathFactory, node: RabbitNode) -> Iterator[Lab]:
    with Lab(
        tmp_path_factory.mktemp("shell-lab"), make_vhost(node), env={"LAB_IMAGE_SECONDS": "2.5"}
    ) as running:
        running.start_celery(concurrency=2)
        yield running


def shell(lab: Lab, *lines: str) -> list[str]:
    """What the lines print."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS + "\n".join(lines)],
        cwd=lab.root,
        env=lab.env,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def ask(lab: Lab, task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = lab.session.get(f"{lab.url}/task/{task_id}", timeout=30).json()
    return found


def test_a_task_is_called_now_and_later_and_by_its_signature(own_lab: Lab) -> None:
    said = shell(
        own_lab,
        "print(add.delay(4, 6).get(timeout=30))",
        "began = datetime.now(timezone.utc)",
        "later = add.apply_async((4, 4), countdown=2)",
        "print(later.get(timeout=30))",
        "print((later.date_done.replace(tzinfo=timezone.utc) - began).total_seconds() >= 2)",
        "eta = datetime.now(timezone.utc) + timedelta(seconds=1.5)",
        "print(add.apply_async(args=[1, 1], eta=eta, expires=60, priority=5).get(timeout=30))",
        "print(signature('add', args=(2, 2), immutable=True).delay().get(timeout=30))",
    )
    assert said == ["10", "8", "True", "2", "4"]


def test_the_canvas_goes_over_the_same_tasks(own_lab: Lab) -> None:
    said = shell(
        own_lab,
        "print(chain(add.s(4, 4), multiply.s(10))().get(timeout=30))",
        "print(group(add.s(2, 2), add.s(4, 4))().get(timeout=30))",
        "print(chord([add.s(2, 2), add.s(4, 4)])(multiply.s(2)).get(timeout=60))",
        "print(add.apply_async((2, 3), link=multiply.s(4)).get(timeout=30))",
    )
    assert said == ["80", "[4, 8]", "[4, 8, 4, 8]", "5"]


def test_a_mail_without_a_server_is_told_and_a_reliable_task_is_done(own_lab: Lab) -> None:
    said = shell(
        own_lab,
        "print(send_email.delay('a@example.com', 'Subject', 'Text').get(timeout=30)['status'])",
        "print(reliable_task.delay([1, 2, 6]).get(timeout=30)['mean'])",
        "print(reliable_task.autoretry_for, reliable_task.max_retries)",
    )
    assert said[:2] == ["not sent", "3.0"]
    assert "ConnectionError" in said[2]
    assert said[2].endswith(" 5")


def test_what_a_task_raises_is_raised_by_get_each_time(own_lab: Lab) -> None:
    said = shell(
        own_lab,
        "from celery_tasks import download_file_from_gcp",
        "for _ in range(12):",
        "    try: download_file_from_gcp.delay('gcp://closed/x').get(timeout=30)",
        "    except Exception as error: print(type(error).__name__)",
    )
    assert said == ["NotAllowed"] * 12


def test_the_api_tells_how_such_a_task_stands(own_lab: Lab) -> None:
    (task,) = shell(own_lab, "print(process_image.delay('a.jpg').id)")
    seen = [ask(own_lab, task)]
    began = datetime.now()
    while seen[-1]["status"] != "SUCCESS":
        assert (datetime.now() - began).total_seconds() < 30, seen[-1]
        seen.append(ask(own_lab, task))
    progress = [one["progress"] for one in seen if one["status"] == "PROCESSING"]
    assert progress
    assert progress == sorted(progress)
    assert seen[-1] == {"task_id": task, "status": "SUCCESS", "result": "Image a.jpg processed"}
    (failed,) = shell(
        own_lab, "task = add.delay(1, 'x')", "task.get(timeout=30, propagate=False)", "print(task.id)"
    )
    told = ask(own_lab, failed)
    assert told["status"] == "FAILURE"
    assert "unsupported operand" in told["error"]
