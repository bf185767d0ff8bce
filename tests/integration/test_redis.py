"""Celery over Redis, both as its broker and for its results: the rest of the lab stays on RabbitMQ."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata

import pytest
import redis

from harness.lab import ROOT, Lab
from harness.node import RabbitNode
from harness.processes import ManagedProcess
from harness.servers import RedisNode
from tests.vhosts import make_vhost

pytestmark = pytest.mark.slow

BROKER, RESULTS, ONLY_RESULTS = 1, 2, 3
VISIBILITY_SECONDS = 7200
# Two stores on one virtual host count as one lab where they have one secret.
SAME_LAB = {"LAB_SECRET_KEY": "beside-redis"}


@pytest.fixture(scope="module")
def rmq_url(node: RabbitNode) -> str:
    """Queues of their own on RabbitMQ."""
    return make_vhost(node, "beside-redis")


@pytest.fixture(scope="module")
def own_lab(rmq_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab whose Celery knows Redis only."""
    env = {
        **SAME_LAB,
        "CELERY_BROKER_URL": f"{redis_url}{BROKER}",
        "RESULT_BACKEND": f"{redis_url}{RESULTS}",
        "LAB_IMAGE_SECONDS": "1",
    }
    with Lab(tmp_path_factory.mktemp("redis-lab"), rmq_url, env=env) as running:
        yield running


@pytest.fixture
def worker(own_lab: Lab) -> ManagedProcess:
    """A worker with one job at once; it goes on until a test asks for `nobody`."""
    for running in own_lab.workers:
        if running.running:
            return running
    return own_lab.start_celery(concurrency=1)


def submit(lab: Lab, kind: str, **fields: object) -> str:
    body = {"method": "celery", "kind": kind, **fields}
    answer = lab.session.post(f"{lab.url}/api/tasks", json=body, timeout=30)
    assert answer.status_code == 202, answer.text
    task_id: str = answer.json()["tasks"][0]["id"]
    return task_id


def act(lab: Lab, task_id: str, action: str) -> int:
    return lab.session.post(f"{lab.url}/api/tasks/{task_id}/{action}", timeout=30).status_code


def history(lab: Lab, task_id: str) -> list[tuple[str, int]]:
    return [(event["status"], event["attempt"]) for event in lab.task(task_id)["events"]]


def python(lab: Lab, text: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=ROOT, env=lab.env, capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_celery_needs_for_redis_is_there_without_the_tests_packages_too() -> None:
    needed = [line for line in metadata.requires("kombu") or [] if re.search(r"extra == .redis.", line)]
    names = {re.split(r"[^\w-]", line)[0] for line in needed}
    assert len(names) > 1
    assert names <= set(re.findall(r"^([\w-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE))


def test_tasks_go_their_way_and_rabbitmq_hears_nothing_of_them(
    own_lab: Lab, worker: ManagedProcess, node: RabbitNode
) -> None:
    tasks = [task["id"] for task in own_lab.submit("celery", 0.5, count=3)]
    own_lab.wait_for(tasks)
    for task in tasks:
        assert history(own_lab, task) == [("PENDING", 0), ("IN_PROGRESS", 1), ("DONE", 1)]
    assert worker.wait_for_log("Connected to redis://")
    queues = node.ctl("list_queues", "--quiet", "--vhost", "beside-redis", "name", "consumers")
    assert dict(line.split() for line in queues.splitlines()[1:])["celery"] == "0"


def test_a_result_is_fetched_from_redis(own_lab: Lab, worker: ManagedProcess, redis_url: str) -> None:
    said = python(
        own_lab,
        "from celery_tasks import process_data\n"
        "task = process_data.delay([1, 2, 3])\n"
        "print(task.id, task.get(timeout=30)['mean'])\n",
    )
    task_id, mean = said.split()
    assert mean == "2.0"
    with redis.Redis.from_url(f"{redis_url}{RESULTS}") as client:
        assert client.exists(f"celery-task-meta-{task_id}")


def test_a_job_that_fails_twice_is_tried_again_after_its_countdown(
    own_lab: Lab, worker: ManagedProcess
) -> None:
    task = submit(own_lab, "flaky_task", timeout=0.1, times=2)
    told = own_lab.wait_for([task])[task]
    assert [attempt for status, attempt in history(own_lab, task) if status == "RETRYING"] == [1, 2]
    assert (told["attempt"], told["error"]) == (3, None)


def test_a_waiting_and_a_running_task_are_cancelled(own_lab: Lab, worker: ManagedProcess) -> None:
    running = own_lab.submit("celery", 60)[0]["id"]
    own_lab.wait_for([running], "IN_PROGRESS")
    waiting = own_lab.submit("celery", 60)[0]["id"]
    for task in (waiting, running):
        assert act(own_lab, task, "cancel") == 202
    told = own_lab.wait_for([waiting, running], "CANCELLED", timeout=20)
    assert told[running]["ran"] < 30
    assert [status for status, _ in history(own_lab, waiting)] == ["PENDING", "CANCELLED"]
    own_lab.wait_for([own_lab.submit("celery", 0)[0]["id"]])


def test_a_group_goes_from_a_third_to_two_thirds_to_one(own_lab: Lab, worker: ManagedProcess) -> None:
    seen = own_lab.wait_for_share(own_lab.process_images(["a.jpg", "b.jpg", "c.jpg"]))
    assert [f"{value:.2f}" for value in seen if value] == ["0.33", "0.67", "1.00"]
    assert own_lab.session.get(f"{own_lab.url}/status/nobody", timeout=10).status_code == 404


def test_results_are_told_of_a_shells_tasks_and_of_the_pages(own_lab: Lab, worker: ManagedProcess) -> None:
    task = submit(own_lab, "add", x=4, y=5)
    own_lab.wait_for([task])
    code = (
        "from celery.result import AsyncResult\nfrom celery_tasks import add\n"
        f"print(AsyncResult({task!r}).get(timeout=30))\n"
        "print(sum(add.delay(n, 1).get(timeout=30) for n in range(20)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=own_lab.env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["9.0", "210"]


def test_a_worker_that_is_asked_to_stop_soon_gives_back_what_it_cannot_finish(
    own_lab: Lab, nobody: None
) -> None:
    first = own_lab.start_celery(concurrency=1, name="first")
    task = own_lab.submit("celery", 15)[0]["id"]
    own_lab.wait_for([task], "IN_PROGRESS")
    first.terminate(signal.SIGQUIT, timeout=40)
    second = own_lab.start_celery(concurrency=1, name="second")
    told = own_lab.wait_for([task], timeout=60)[task]
    second.terminate(timeout=30)
    assert (told["attempt"], told["worker"].split("@")[0]) == (2, "second")


def test_a_job_whose_worker_was_killed_comes_back_after_the_visibility_timeout_and_not_before(
    own_lab: Lab, nobody: None, redis_url: str
) -> None:
    victim = own_lab.start_celery(concurrency=1, name="victim")
    task = own_lab.submit("celery", 2)[0]["id"]
    own_lab.wait_for([task], "IN_PROGRESS")
    victim.kill_group()

    early = own_lab.start_celery(concurrency=1, name="early")
    own_lab.wait_for([own_lab.submit("celery", 0)[0]["id"]])
    early.terminate(timeout=30)
    assert history(own_lab, task)[-1] == ("IN_PROGRESS", 1)

    with redis.Redis.from_url(f"{redis_url}{BROKER}") as broker:
        held = broker.zrange("unacked_index", 0, -1)
        assert len(held) == 1
        broker.zincrby("unacked_index", -VISIBILITY_SECONDS - 1, held[0])  # as if so much time had passed
    heir = own_lab.start_celery(concurrency=1, name="heir")
    told = own_lab.wait_for([task], timeout=60)[task]
    heir.terminate(timeout=30)
    assert (told["attempt"], told["worker"].split("@")[0]) == (2, "heir")


def test_what_is_cancelled_of_a_group_never_runs_though_its_workers_restart(
    own_lab: Lab, nobody: None
) -> None:
    workers = [own_lab.start_celery(concurrency=1, name=f"group{number}") for number in range(2)]
    group_id = own_lab.process_images([f"{number}.jpg" for number in range(20)])
    answer = own_lab.session.get(f"{own_lab.url}/api/groups/{group_id}", timeout=30)
    tasks = [task["id"] for task in answer.json()["group"]["tasks"]]
    deadline = time.monotonic() + 30
    while all(own_lab.task(task)["status"] == "PENDING" for task in tasks[:2]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    answer = own_lab.session.post(f"{own_lab.url}/cancel/{group_id}", timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.json()["cancelled"] >= 15
    for worker in workers:
        worker.terminate(timeout=30)

    heir = own_lab.start_celery(concurrency=2, name="after")
    own_lab.wait_for([own_lab.submit("celery", 0)[0]["id"]])
    told = own_lab.wait_for(tasks, "CANCELLED", "DONE", timeout=30)
    heir.terminate(timeout=30)
    never = [task for task in tasks if told[task]["started_at"] is None]
    assert len(never) >= 15
    assert {told[task]["status"] for task in never} == {"CANCELLED"}
    assert not any((told[task]["worker"] or "").startswith("after@") for task in tasks)


def test_with_rabbitmq_as_its_broker_groups_are_restored_from_redis_whoever_made_them(
    rmq_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    env = {**SAME_LAB, "RESULT_BACKEND": f"{redis_url}{ONLY_RESULTS}", "LAB_IMAGE_SECONDS": "0.5"}
    with Lab(tmp_path_factory.mktemp("redis-results"), rmq_url, env=env) as running:
        running.start_celery(concurrency=1)
        own = running.process_images(["a", "b"])
        running.wait_for_share(own)
        foreign = python(
            running,
            "from celery import group\n"
            "from celery_tasks import process_image\n"
            "result = group(process_image.s(name) for name in ('a', 'b')).apply_async()\n"
            "result.save()\n"
            "print(result.id)\n",
        )
        running.wait_for_share(foreign)
        said = python(
            running,
            "from celery_app import celery_app\n"
            f"result = celery_app.GroupResult.restore({own!r})\n"
            "print(sorted(result.get(timeout=30)), result.completed_count())\n",
        )
        assert said == "['Image a processed', 'Image b processed'] 2"


def test_a_group_outlasts_the_absence_of_its_results_store(
    rmq_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with RedisNode(tmp_path_factory.mktemp("results")) as store:
        env = {**SAME_LAB, "RESULT_BACKEND": store.url, "LAB_IMAGE_SECONDS": "2"}
        with Lab(tmp_path_factory.mktemp("away"), rmq_url, env=env) as running:
            running.start_celery(concurrency=1)
            group_id = running.process_images(["a", "b", "c"])
            answer = running.session.get(f"{running.url}/api/groups/{group_id}", timeout=30)
            tasks = [task["id"] for task in answer.json()["group"]["tasks"]]
            running.wait_for(tasks[:1], "IN_PROGRESS")
            store.terminate()
            time.sleep(12)  # longer than the client itself tries again
            store.start()
            told = running.wait_for(tasks, timeout=60)
            assert [told[task]["attempt"] for task in tasks] == [1, 1, 1]
