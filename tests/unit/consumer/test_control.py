import json
import logging
import os

import pika
import pytest

from consumer.control import RemoteControl
from consumer.jobs import Jobs
from lab.broker.traffic import Traffic
from lab.jobs.kinds import KINDS
from tests.unit.consumer.stage import Stage
from transports.control import read_picture


@pytest.fixture
def cancelled() -> list[str]:
    return []


@pytest.fixture
def running() -> Jobs:
    return Stage(2).jobs


@pytest.fixture
def control(running: Jobs, cancelled: list[str]) -> RemoteControl:
    return RemoteControl("me@here", running, cancelled.append)


def order(command: str, **fields: object) -> bytes:
    return json.dumps({"command": command, **fields}).encode()


def test_a_cancellation_is_passed_on(control: RemoteControl, cancelled: list[str]) -> None:
    control.obey(order("cancel", task_id="x"))
    assert cancelled == ["x"]


def test_a_ping_is_answered_with_the_name(control: RemoteControl) -> None:
    assert control.obey(order("ping")) == {"name": "me@here", "ok": True, "concurrency": 2}


def test_the_pool_grows_and_shrinks_but_never_below_one(control: RemoteControl, running: Jobs) -> None:
    control.obey(order("grow", n=3))
    assert running.concurrency == 5
    answer = control.obey(order("shrink", n=100))
    assert answer == {"name": "me@here", "ok": True, "concurrency": 1}


def test_a_pool_grows_to_its_ceiling_and_no_further(control: RemoteControl, running: Jobs) -> None:
    for _ in range(7):
        control.obey(order("grow", n=100))
    assert running.concurrency == 500


def test_an_order_to_another_worker_is_not_obeyed_nor_answered(control: RemoteControl, running: Jobs) -> None:
    assert control.obey(order("grow", n=1, worker="you@there")) is None
    assert running.concurrency == 2
    assert control.obey(order("grow", n=1, worker="me@here")) is not None


def test_a_rate_limit_is_in_the_picture_until_it_is_lifted(control: RemoteControl) -> None:
    control.obey(order("rate_limit", kind="process_task", rate="10/m"))
    assert (control.obey(order("picture")) or {})["rate_limits"] == {"process_task": "10/m"}
    control.obey(order("rate_limit", kind="process_task", rate="0"))
    assert (control.obey(order("picture")) or {})["rate_limits"] == {}


@pytest.mark.parametrize(("kind", "rate"), [("make_tea", "10/m"), ("process_task", "often")])
def test_a_limit_that_makes_no_sense_is_refused_with_the_reason(
    control: RemoteControl, kind: str, rate: str
) -> None:
    answer = control.obey(order("rate_limit", kind=kind, rate=rate)) or {}
    assert answer["ok"] is False
    assert answer["error"]


def test_the_picture_tells_all_that_the_page_shows(control: RemoteControl) -> None:
    picture = control.obey(order("picture")) or {}
    assert picture["delivery"] == "safe"
    assert picture["kinds"] == sorted(KINDS)
    assert picture["active"] == []
    assert {"pid", "started_at", "concurrency", "reserved", "scheduled", "done", "rate_limits"} <= set(
        picture
    )


def test_the_picture_tells_what_the_broker_sends_ahead_and_what_jobs_run_in(running: Jobs) -> None:
    control = RemoteControl("me@here", running, print, prefetch=lambda: 7)
    picture = control.obey(order("picture")) or {}
    assert (picture["prefetch"], picture["pool"]) == (7, "threads")
    assert picture["versions"] == {"pika": pika.__version__}


def test_the_picture_is_read_whole_by_the_asking_side(control: RemoteControl) -> None:
    picture = read_picture("rabbitmq", "me@here", control.obey(order("picture")) or {})
    assert (picture.acknowledgement, picture.heartbeat, picture.connections) == ("after_job", 10, 1)
    assert picture.pool_class == "threads (consumer.jobs)"
    assert picture.consumer_class == "pika.BlockingConnection, consumer.worker"
    assert picture.log_level in logging.getLevelNamesMapping()


def test_the_usage_is_that_of_process_and_connection_since_they_began(running: Jobs) -> None:
    control = RemoteControl("me@here", running, print, traffic=lambda: Traffic(1, 2))
    used = control.obey(order("usage")) or {}
    assert used["cpu_seconds"] > 0
    assert used["memory"] > 1_000_000
    assert (used["name"], used["delivery"], used["pid"]) == ("me@here", "safe", os.getpid())
    assert (used["bytes_in"], used["bytes_out"]) == (1, 2)
    again = control.obey(order("usage")) or {}
    assert again["cpu_seconds"] >= used["cpu_seconds"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"command": "sing"}',
        b'{"command": "cancel", "task_id": 5}',
        *(order("grow", n=n) for n in (0, 1.5, "2", 10**9)),
        order("shrink", n=-1),
    ],
)
def test_an_invalid_message_is_logged_and_left(
    control: RemoteControl, running: Jobs, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert control.obey(body) is None
    assert "ignored an invalid control message" in caplog.text
    assert running.concurrency == 2
