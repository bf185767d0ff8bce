"""Odd jobs: every way in which a Python job can end, by every method, in one file of own tasks."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from tests.own_project import own_project
from tests.vhosts import make_vhost

pytestmark = pytest.mark.slow

CODE = '''
import math as _math
import sys as _sys
import time as _time

from celery.exceptions import Ignore as _Ignore
from celery.exceptions import Reject as _Reject


class _Own(BaseException):
    pass


class _Mute(Exception):
    def __str__(self):
        raise ValueError("no words")

    __repr__ = __str__


class _Stubborn(BaseException):
    def __str__(self):
        raise SystemExit("no words")

    __repr__ = __str__


def _deep(levels):
    result = []
    for _ in range(levels - 1):
        result = [result]
    return result


def _endless():
    return _endless()


def raises(what: str) -> None:
    """Raises it."""
    raise eval(what)


def returns(what: str) -> object:
    """Returns it."""
    return eval(what)


def swallows_all(seconds: float) -> None:
    """Works for `seconds`, whatever strikes it."""
    end = _time.monotonic() + seconds
    while _time.monotonic() < end:
        try:
            _time.sleep(0.5)
        except Exception:
            continue
'''

RAISED = {
    "ValueError('no')": "ValueError: no",
    "SystemExit()": "SystemExit: ",
    "SystemExit(1)": "SystemExit: 1",
    "KeyboardInterrupt()": "KeyboardInterrupt: ",
    "GeneratorExit()": "GeneratorExit: ",
    "_Own('own')": "_Own: own",
    "_Mute()": "_Mute: (what it says cannot be told: ValueError)",
    "_Stubborn()": "_Stubborn: (what it says cannot be told: SystemExit)",
    "MemoryError()": "MemoryError: ",
    "StopIteration(3)": "StopIteration: 3",
    "_Ignore('no')": "Ignore: no",
    "_Reject('no', True)": "Reject: ('no', True)",
    "ValueError('\\ud800')": "ValueError: \\ud800",
    "ValueError('x' * 3_000_000)": "ValueError: " + "x" * 1988,
    "_endless()": "RecursionError: maximum recursion depth exceeded",
    "_sys.exit(1)": "SystemExit: 1",
    "open('/nowhere')": "FileNotFoundError: ",
}

RETURNED: dict[str, Any] = {
    "_math.factorial(25)": math.factorial(25),
    "_math.factorial(1500)": math.factorial(1500),
    "'x' * 1_000_000": "x" * 1_000_000,
    "len(str(_deep(100)))": 200,
    "(1, 2)": [1, 2],
    "'NUL \\x00'": "NUL \x00",
}

REFUSED = (
    "'x' * 3_000_000", "_math.factorial(2000)", "_deep(200)", "_deep(5000)", "float('nan')", "[1e308 * 10]",
    "'\\ud800'", "b'\\xff'", "object()", "_Mute()",
)  # fmt: skip


@pytest.fixture(scope="module")
def odd_lab(tmp_path_factory: pytest.TempPathFactory, fault_node: RabbitNode) -> Iterator[Lab]:
    """One worker of each kind, with room for one job, so that one that is gone is missed at once."""
    project = own_project(tmp_path_factory.mktemp("odd"), CODE)
    base: Path = tmp_path_factory.mktemp("odd-lab")
    with Lab(base, make_vhost(fault_node), root=project) as lab:
        lab.start_celery(concurrency=1)
        lab.start_consumer(concurrency=1)
        yield lab


def send(lab: Lab, method: str, kind: str, **fields: Any) -> str:
    answer = lab.session.post(
        f"{lab.url}/api/tasks", json={"method": method, "kind": kind, **fields}, timeout=60
    )
    answer.raise_for_status()
    return str(answer.json()["tasks"][0]["id"])


def ended(lab: Lab, method: str, kind: str, *whats: str, **fields: Any) -> dict[str, dict[str, Any]]:
    """The tasks at their end, by `what` they do; behind each of them an ordinary one runs."""
    tasks, ordinary = {}, []
    for what in whats:
        tasks[what] = send(lab, method, kind, what=what, **fields)
        ordinary.append(send(lab, method, "add", x=1, y=2))
    lab.wait_for(list(tasks.values()), "DONE", "FAILED", "CANCELLED", timeout=120)
    lab.wait_for(ordinary)
    assert all(worker.running for worker in lab.workers)
    return {what: lab.task(task) for what, task in tasks.items()}


@pytest.fixture(params=["celery", "rabbitmq", "sync"])
def by(request: pytest.FixtureRequest) -> str:
    """The method under test."""
    return str(request.param)


def test_whatever_a_job_raises_ends_it_and_the_next_job_runs(odd_lab: Lab, by: str) -> None:
    for what, task in ended(odd_lab, by, "raises", *RAISED, max_retries=0).items():
        assert task["status"] == "FAILED", what
        assert task["error"].startswith(RAISED[what]), what
        attempts = [event["attempt"] for event in task["events"] if event["status"] == "IN_PROGRESS"]
        assert attempts == [1], what


def test_what_can_be_stored_arrives_as_it_is(odd_lab: Lab, by: str) -> None:
    for what, task in ended(odd_lab, by, "returns", *RETURNED).items():
        assert (task["status"], task["result"]) == ("DONE", RETURNED[what]), what


def test_what_cannot_be_stored_fails_and_says_the_bounds(odd_lab: Lab, by: str) -> None:
    for what, task in ended(odd_lab, by, "returns", *REFUSED).items():
        assert task["status"] == "FAILED", what
        assert task["error"].startswith("UnstorableResult: the result cannot be stored: "), what
        assert "1,048,576 bytes" in task["error"], what


def test_a_job_that_swallows_its_time_limit_fails_all_the_same(odd_lab: Lab, method: str) -> None:
    swallows = send(odd_lab, method, "swallows_all", seconds=120.0, time_limit=2.0)
    after = send(odd_lab, method, "add", x=1, y=2)
    told = odd_lab.wait_for([swallows], "DONE", "FAILED", "CANCELLED")[swallows]
    odd_lab.wait_for([after])
    assert all(worker.running for worker in odd_lab.workers)
    assert told["status"] == "FAILED"
    assert told["error"].startswith("TimeLimitExceeded: ")
