"""A worker whose main process asks for the jobs of its pool and tells their ends: really run, over an API that
counts."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pika
import psutil
import pytest

from harness.lab import ROOT, Lab
from harness.node import RabbitNode
from harness.processes import ManagedProcess
from tests.callback_api import Api
from tests.celery_command import celery
from tests.faults.stage import make_vhost

SEND = """
import sys
from celery_app import celery_app
kind, count, value, kept = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4] == "kept"
kwargs = {
    "process_task": {"timeout": value, "task_num": 1},
    "process_data": {"numbers": [], "task_num": 1},
    "add": {"x": value, "y": 1},
}[kind]
for n in range(count):
    headers = {"lab_token": "t", "lab_max_retries": 0}
    celery_app.send_task(kind, kwargs=kwargs, task_id=f"{kind}-{n}", headers=headers, ignore_result=not kept)
"""
QUEUE = "celery"


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.close()


@pytest.fixture
def lab(tmp_path: Path, node: RabbitNode, api: Api) -> Iterator[Lab]:
    """A lab of which only a worker runs, on a virtual host of its own."""
    url = make_vhost(node, "celery-pool")
    made = Lab(tmp_path, url, env={"API_URL": api.url, "LAB_LOG_LANGUAGE": "en"})
    yield made
    made.stop()
    node.ctl("delete_vhost", "celery-pool")


def send(lab: Lab, kind: str, count: int, value: float = 0.0, *, kept: bool = False) -> None:
    command = [sys.executable, "-c", SEND, kind, str(count), str(value), "kept" if kept else "ignored"]
    done = subprocess.run(command, cwd=ROOT, env=lab.env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def wait_until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def told(api: Api, status: str) -> list[dict[str, Any]]:
    return [update for update in list(api.updates) if update["status"] == status]


def ready(lab: Lab) -> int:
    """How many messages the queue has once nobody holds any."""
    connection = pika.BlockingConnection(pika.URLParameters(lab.env["RMQ_URL"]))
    try:
        return int(connection.channel().queue_declare(QUEUE, passive=True).method.message_count)
    finally:
        connection.close()


def stop(worker: ManagedProcess) -> None:
    worker.terminate(timeout=40)


def test_beginnings_and_ends_share_requests_and_each_job_is_told_of_once(lab: Lab, api: Api) -> None:
    worker = lab.start_celery(concurrency=12)
    api.slow = 0.03
    send(lab, "add", 60)
    wait_until(lambda: len(told(api, "DONE")) == 60)
    stop(worker)
    assert len(api.updates) == 120
    assert api.posts < 80
    begun = {update["task_id"]: update for update in told(api, "IN_PROGRESS")}
    for end in told(api, "DONE"):
        begin = begun[end["task_id"]]
        assert (end["run"], end["worker"], end["result"]) == (begin["run"], begin["worker"], 1.0)
        assert begin["at"] <= end["at"]
    assert len(begun) == 60
    assert ready(lab) == 0


def writes(lab: Lab) -> list[int]:
    """How many jobs each process was given that was given any."""
    (stats,) = json.loads(celery(lab, "inspect", "stats", "--json")).values()
    return [int(each) for each in stats["pool"]["writes"]["raw"].split(",")]


def test_jobs_go_to_the_same_process_one_after_the_other_and_to_all_when_it_is_busy(
    lab: Lab, api: Api
) -> None:
    lab.start_celery(concurrency=4)
    for n in range(1, 4):
        send(lab, "add", 1, float(n))
        wait_until(lambda n=n: len(told(api, "DONE")) == n)
    assert writes(lab) == [3]
    send(lab, "process_task", 4, 1.5)
    wait_until(lambda: len(told(api, "IN_PROGRESS")) >= 7)
    assert len(told(api, "DONE")) == 3
    wait_until(lambda: len(told(api, "DONE")) == 7)
    assert sorted(writes(lab)) == [1, 1, 1, 4]


def test_a_job_whose_result_is_kept_tells_its_end_itself(lab: Lab, api: Api) -> None:
    worker = lab.start_celery(concurrency=2)
    send(lab, "add", 4, kept=True)
    wait_until(lambda: len(told(api, "DONE")) == 4)
    stop(worker)
    assert {update["run"] for update in told(api, "DONE")} == {
        update["run"] for update in told(api, "IN_PROGRESS")
    }
    assert ready(lab) == 0


def test_a_job_that_has_ended_before_is_not_run_again(lab: Lab, api: Api) -> None:
    api.status = "DONE"
    worker = lab.start_celery(concurrency=2)
    send(lab, "add", 3)
    wait_until(lambda: worker.log.read_text().count("ended already") == 3)
    stop(worker)
    assert len(api.updates) == 3
    assert ready(lab) == 0


def test_a_job_that_fails_is_told_of_by_its_own_process(lab: Lab, api: Api) -> None:
    worker = lab.start_celery(concurrency=2)
    send(lab, "process_data", 2)
    wait_until(lambda: len(told(api, "FAILED")) == 2)
    stop(worker)
    assert not told(api, "DONE")
    assert ready(lab) == 0


def test_when_the_forwarder_dies_under_load_every_job_is_still_told_of(lab: Lab, api: Api) -> None:
    worker = lab.start_celery(concurrency=6)
    api.slow = 0.05
    send(lab, "add", 120)
    wait_until(lambda: len(told(api, "DONE")) >= 10)
    (forwarder,) = [
        child for child in psutil.Process(worker.pid).children() if "lab.forwarder" in child.cmdline()
    ]
    forwarder.kill()
    wait_until(lambda: len({update["task_id"] for update in told(api, "DONE")}) == 120)
    stop(worker)
    assert ready(lab) == 0


def test_a_worker_that_is_stopped_tells_of_what_it_ends_and_gives_the_rest_back(lab: Lab, api: Api) -> None:
    worker = lab.start_celery(concurrency=4)
    send(lab, "process_task", 20, 1.0)
    wait_until(lambda: len(told(api, "DONE")) >= 4)
    stop(worker)
    ends = {update["task_id"] for update in told(api, "DONE")}
    assert ready(lab) == 20 - len(ends)
    assert 4 <= len(ends) < 20


def test_while_the_api_is_away_jobs_run_unasked_and_their_ends_wait_on_the_disk(lab: Lab, api: Api) -> None:
    worker = lab.start_celery(concurrency=3)
    api.close()
    send(lab, "add", 9)

    def spooled() -> list[dict[str, Any]]:
        files = list((lab.base / "spool").glob("*.jsonl"))
        return [json.loads(text) for file in files for text in file.read_text().splitlines()]

    wait_until(lambda: len(spooled()) == 9)
    wait_until(lambda: ready(lab) == 0)
    stop(worker)
    assert ready(lab) == 0
    assert {update["status"] for update in spooled()} == {"DONE"}
