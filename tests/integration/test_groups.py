"""The three plain routes of groups, from an HTTP client, against a lab with a worker of its own."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from harness.lab import ROOT, Lab
from harness.node import RabbitNode
from tests.vhosts import make_vhost

RESTORE = """
import sys
from celery_app import celery_app
group = celery_app.GroupResult.restore(sys.argv[1])
print(len(group), group.completed_count(), group.results[0].get(timeout=5))
"""


@pytest.fixture(scope="module")
def quick_lab(tmp_path_factory: pytest.TempPathFactory, node: RabbitNode) -> Iterator[Lab]:
    """A lab whose images take half a second to a whole one, with one Celery worker of two processes."""
    with Lab(
        tmp_path_factory.mktemp("lab"),
        make_vhost(node),
        env={"LAB_IMAGE_SECONDS": "0.5-1"},
    ) as running:
        running.start_celery(concurrency=2)
        yield running


def test_a_group_of_three_goes_by_thirds(quick_lab: Lab) -> None:
    group_id = quick_lab.process_images(["a.jpg", "b.jpg", "c.jpg"])
    seen = quick_lab.wait_for_share(group_id)
    assert seen == sorted(seen)
    assert set(seen) <= {0.0, 1 / 3, 2 / 3, 1.0}
    assert 2 / 3 in seen


def test_another_process_restores_the_group_from_the_result_backend(quick_lab: Lab) -> None:
    group_id = quick_lab.process_images(["a.jpg", "b.jpg"])
    quick_lab.wait_for_share(group_id)
    command = [sys.executable, "-c", RESTORE, group_id]
    deadline = time.monotonic() + 10  # the last result is stored a moment after its task was reported
    while True:
        told = subprocess.run(
            command, cwd=ROOT, env=quick_lab.env, capture_output=True, text=True, check=True
        )
        if told.stdout.split()[:2] == ["2", "2"] or time.monotonic() > deadline:
            break
    assert told.stdout.strip() == "2 2 Image a.jpg processed"


def test_a_group_that_another_celery_client_made_is_followed_and_cancelled_too(quick_lab: Lab) -> None:
    made = subprocess.run(
        [
            sys.executable,
            "-c",
            "from celery import group; from celery_tasks import process_image\n"
            "result = group(process_image.s(f'{i}.jpg', 30 if i else 0.1) for i in range(6)).apply_async()\n"
            "result.save(); print(result.id)",
        ],
        cwd=ROOT,
        env=quick_lab.env,
        capture_output=True,
        text=True,
        check=True,
    )
    group_id = made.stdout.strip()
    quick_lab.wait_for_share(group_id, 1 / 6)
    answer = quick_lab.session.post(f"{quick_lab.url}/cancel/{group_id}", timeout=10)
    assert answer.json() == {"cancelled": 5, "running": 0, "done": 1, "failed": 0}
    done = quick_lab.process_images(["next.jpg"])
    quick_lab.wait_for_share(done, timeout=20)


@pytest.mark.parametrize("images", [None, [], "a.jpg", {"a": 1}, [1, 2], [""], ["a\nb"], ["x"] * 1001])
def test_images_that_are_none_are_refused(quick_lab: Lab, images: object) -> None:
    answer = quick_lab.session.post(f"{quick_lab.url}/process_images", json={"images": images}, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["error"] == "Missing or invalid images parameter"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"{}"])
def test_a_body_that_names_no_images_is_refused(quick_lab: Lab, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = quick_lab.session.post(f"{quick_lab.url}/process_images", body, headers=headers, timeout=10)
    assert answer.status_code == 400
    assert answer.json() == {"error": "Missing or invalid images parameter"}


@pytest.mark.parametrize(("method", "path"), [("GET", "status"), ("POST", "cancel"), ("DELETE", "cancel")])
def test_an_unknown_group_is_said_to_be_one(quick_lab: Lab, method: str, path: str) -> None:
    for group_id in ("nonsense", "00000000-0000-4000-8000-000000000000", "a%00b"):
        answer = quick_lab.session.request(method, f"{quick_lab.url}/{path}/{group_id}", timeout=10)
        assert answer.status_code == 404
        assert answer.json() == {"error": "Invalid group_id"}
