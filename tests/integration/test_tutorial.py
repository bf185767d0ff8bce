"""The worker by the tutorial, and what keeps several of them running, against a real broker."""

import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from harness.node import RabbitNode
from harness.processes import ManagedProcess
from lab.delivery import Delivery
from lab.job import Job
from lab.settings import Settings
from tests.callback_api import Api
from tests.vhosts import make_vhost
from transports.control import WorkerPicture, create_control

QUEUE = "tasks.naive"
JOB = Job(task_id="x", num=7, params={"timeout": 0.0}, token="t")


class Stage:
    """A broker's virtual host, an API that takes statuses, and workers."""

    def __init__(self, base: Path, url: str, api: Api) -> None:
        self.api = api
        self.env = {**os.environ, "RMQ_URL": url, "API_URL": api.url, "LAB_VAR": str(base)}
        self.connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel: BlockingChannel = self.connection.channel()
        self.channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "classic"})
        self._base = base

    def start(self, name: str, *arguments: str, delivery: str = "naive") -> ManagedProcess:
        env = {**self.env, "DELIVERY": delivery}
        worker = ManagedProcess([sys.executable, "-m", *arguments], env=env, log=self._base / f"{name}.log")
        worker.start().wait_for_log("waiting for tasks", timeout=60)
        return worker

    def put(self, *messages: Job | bytes) -> None:
        for one in messages:
            self.channel.basic_publish("", QUEUE, one if isinstance(one, bytes) else one.to_json())

    def until(self, holds: Callable[[], bool], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, self.api.updates
            self.connection.sleep(0.05)

    def statuses(self, task_id: str = "x") -> list[str]:
        return [update["status"] for update in self.api.updates if update["task_id"] == task_id]

    def counted(self) -> tuple[int, int]:
        """The messages that are ready, and the consumers."""
        found = self.channel.queue_declare(QUEUE, passive=True).method
        return found.message_count, found.consumer_count

    def pictures(self) -> list[WorkerPicture]:
        control = create_control("rabbitmq", Settings.from_env(self.env))
        try:
            return control.pictures(0.5)
        finally:
            control.close()


@pytest.fixture
def stage(tmp_path: Path, node: RabbitNode) -> Iterator[Stage]:
    api = Api()
    made = Stage(tmp_path, make_vhost(node, f"t{secrets.token_hex(4)}"), api)
    yield made
    made.connection.close()
    api.close()


def test_it_runs_a_job_between_two_reports_and_ends_in_order(stage: Stage) -> None:
    worker = stage.start("tutorial", "consumer.tutorial", "-n", "me@here")
    stage.put(JOB, JOB.model_copy(update={"task_id": "y", "kind": "make_tea"}))
    stage.until(lambda: len(stage.api.updates) == 4)
    assert (stage.statuses("x"), stage.statuses("y")) == (["IN_PROGRESS", "DONE"], ["IN_PROGRESS", "FAILED"])
    first, second, *_ = stage.api.updates
    assert (first["worker"], first["attempt"], first["first"]) == ("me@here", 1, True)
    assert (second["progress"], second["result"]) == (1.0, {"status": "success", "task_num": 7})
    assert worker.terminate(signal.SIGTERM, timeout=20) == 0
    assert stage.counted() == (0, 0)


def test_a_job_that_is_not_to_run_is_acknowledged(stage: Stage) -> None:
    stage.api.status = "CANCELLED"
    worker = stage.start("tutorial", "consumer.tutorial")
    stage.put(JOB)
    stage.until(lambda: bool(stage.api.updates))
    worker.terminate(signal.SIGTERM, timeout=20)
    assert stage.statuses() == ["IN_PROGRESS"]
    assert stage.counted() == (0, 0)


def test_jobs_whose_reports_go_beside_wait_for_nothing_and_their_stamps_are_sent_before_it_ends(
    stage: Stage,
) -> None:
    worker = stage.start("tutorial", "consumer.tutorial")
    jobs = [
        Job(task_id=f"j{n}", num=n, kind="add", params={"x": n, "y": 1}, beside=True) for n in range(1, 301)
    ]
    stage.put(*jobs)
    stage.until(lambda: stage.counted()[0] == 0)
    assert worker.terminate(signal.SIGTERM, timeout=20) == 0
    assert {update["task_id"] for update in stage.api.updates} == {job.task_id for job in jobs}
    assert all(update["status"] == "DONE" and update["began_at"] for update in stage.api.updates)
    assert stage.api.posts < 30


@pytest.mark.smoke
def test_a_killed_worker_loses_nothing_and_is_started_again(stage: Stage) -> None:
    supervisor = stage.start("naive", "consumer", "--concurrency", "2", "-n", "me@%h")
    stage.until(lambda: stage.counted()[1] == 2)
    pictures = stage.pictures()
    assert [picture.name for picture in pictures] == ["tutorial-1", "tutorial-2"]
    told = {(p.delivery, p.concurrency, p.prefetch, p.pool, p.acknowledgement) for p in pictures}
    assert told == {(Delivery.NAIVE, 1, 1, "process", "after_job")}
    stage.put(JOB.model_copy(update={"params": {"timeout": 1.5}}))
    stage.until(lambda: stage.statuses() == ["IN_PROGRESS"])
    for child in supervisor.children():
        os.kill(child, signal.SIGKILL)
    stage.until(lambda: "DONE" in stage.statuses())
    attempts = [u["attempt"] for u in stage.api.updates if u["status"] == "IN_PROGRESS" and not u["progress"]]
    assert attempts == [1, 2]
    stage.until(lambda: stage.counted()[1] == 2)
    children = supervisor.children()
    assert supervisor.terminate(signal.SIGTERM, timeout=20) == 0
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_a_message_that_is_no_job_ends_each_worker_that_gets_it_and_comes_back(stage: Stage) -> None:
    supervisor = stage.start("naive", "consumer", "--concurrency", "1")
    stage.until(lambda: stage.counted()[1] == 1)
    seen = {tuple(supervisor.children())}
    stage.put(b"{")
    deadline = time.monotonic() + 30
    while len(seen) < 3:
        seen.add(tuple(supervisor.children()))
        assert time.monotonic() < deadline
        time.sleep(0.1)
    supervisor.terminate(signal.SIGTERM, timeout=20)
    assert stage.counted() == (1, 0)
