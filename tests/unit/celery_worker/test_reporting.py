"""What a Celery worker's processes report with, against an API that takes statuses."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.processes import until
from tests.callback_api import Api

# Imports once, and runs each case in a fork of its own.
PROGRAM = """
import json, os, sys, threading, traceback
from types import SimpleNamespace
from celery.exceptions import TimeLimitExceeded
from celery.signals import task_failure, task_received, task_retry, task_revoked, worker_init, worker_process_shutdown
from celery_worker import reporting
from celery_worker.reporting import report_of
from lab.job import Job
from lab.settings import Settings
from lab.status import TaskStatus
job = Job(task_id="x", num=1, kind="add", token="t")
said = []

for line in sys.stdin:
    env, code = json.loads(line)
    child = os.fork()
    if not child:
        os.environ.update(env)
        reporting.settings = Settings.from_env()
        try:
            exec(code)
        except BaseException:
            said = traceback.format_exc()
        print(json.dumps(said), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""
RUN = """
report = report_of(job, "me@here", 2)
said.append(report(TaskStatus.IN_PROGRESS, progress=0.0).run)
report(TaskStatus.DONE, progress=1.0, result=3)
"""
BESIDE = "job = job.model_copy(update={'beside': True})"
FLUSH = "worker_process_shutdown.send(sender=None)"
Program = Callable[..., list[object]]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """One process for all cases."""
    env = os.environ | {"LAB_VAR": str(tmp_path_factory.mktemp("reporting"))}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        yield running


@pytest.fixture
def program(process: subprocess.Popen[str], tmp_path: Path) -> Program:
    """What a program of some parts says, run in a process of its own as a worker's settings have it."""

    def run(url: str, delivery: str, *parts: str, base: Path = tmp_path, tracked: str = "1") -> list[object]:
        env = {"API_URL": url, "LAB_VAR": str(base), "DELIVERY": delivery, "LAB_TRACKED": tracked}
        assert process.stdin is not None
        assert process.stdout is not None
        print(json.dumps([env, "\n".join(parts)]), file=process.stdin, flush=True)
        said = json.loads(process.stdout.readline())
        assert isinstance(said, list), said
        return said

    return run


@pytest.mark.parametrize("delivery", ["safe", "naive"])
def test_a_run_is_told_as_it_begins_and_as_it_ends(program: Program, api: Api, delivery: str) -> None:
    assert program(api.url, delivery, RUN) == [True]
    assert [(told["status"], told["worker"], told["attempt"]) for told in api.updates] == [
        ("IN_PROGRESS", "me@here", 2),
        ("DONE", "me@here", 2),
    ]
    assert api.posts == 2


def test_the_safe_mode_spools_an_end_that_nobody_takes_and_as_it_comes_forgets_it(
    program: Program, tmp_path: Path
) -> None:
    for delivery, left in (("naive", 0), ("safe", 1)):
        base = tmp_path / delivery
        assert program("http://127.0.0.1:1/", delivery, RUN, base=base) == [True]
        assert len(list((base / "spool").glob("*"))) == left


@pytest.mark.parametrize("delivery", ["safe", "naive"])
def test_a_run_beside_its_path_is_told_once_by_the_same_code_and_before_its_process_ends(
    program: Program, api: Api, delivery: str
) -> None:
    assert program(api.url, delivery, BESIDE, RUN, FLUSH) == [True]
    (told,) = api.updates
    assert (told["status"], told["attempt"], told["result"]) == ("DONE", 2, 3)
    assert told["began_at"] <= told["at"]


@pytest.mark.parametrize("delivery", ["safe", "naive"])
def test_an_untracked_lab_tells_nobody(program: Program, api: Api, delivery: str) -> None:
    assert program(api.url, delivery, RUN, tracked="0") == [True]
    assert api.posts == 0


FORWARD = """
worker_init.send(sender=None)
(address,) = reporting._forwarder
said.append(address.split("/")[-2][:13])
"""


@pytest.mark.parametrize("delivery", ["safe", "naive"])
def test_a_worker_has_a_forwarder_and_stamps_go_by_it(program: Program, api: Api, delivery: str) -> None:
    assert program(api.url, delivery, FORWARD, BESIDE, RUN, RUN) == ["lab-forwarder", True, True]
    until(lambda: len(api.updates) == 2, 30)
    assert [told["status"] for told in api.updates] == ["DONE", "DONE"]
    assert api.posts == 1


REVOKED = """
headers = {{"lab_token": "t", "lab_attempt": 2, "x-delivery-count": 1}}
task_revoked.send(sender=None, request=SimpleNamespace(id="x", hostname="me@here", {fields}), expired={expired})
"""
TOLD = """
for thread in threading.enumerate():
    if "(tell)" in thread.name:
        thread.join()
"""


@pytest.mark.parametrize("fields", ["request_dict=headers", "headers=headers"])
@pytest.mark.parametrize(("expired", "error"), [(True, "expired"), (False, None)])
def test_a_revoked_task_is_told_by_the_workers_main_process(
    program: Program, api: Api, fields: str, expired: bool, error: str | None
) -> None:
    program(api.url, "safe", REVOKED.format(fields=fields, expired=expired), TOLD)
    assert [(told["status"], told.get("error"), told["attempt"], told["token"]) for told in api.updates] == [
        ("CANCELLED", error, 3, "t")
    ]


RECEIVED = """
class Request:
    id, hostname, time_limits = "x", "me@here", {limits}
    request_dict = {{"lab_token": "t", "lab_attempt": 2, "x-delivery-count": 1}}

request = Request()
task_received.send(sender=None, request=request)
"""
BROKEN_OFF = 'task_retry.send(sender=None, request=SimpleNamespace(id="x"), einfo={einfo})'
KILLED = 'task_failure.send(sender=None, task_id="x", exception={error})'


@pytest.mark.parametrize(
    ("delivery", "einfo", "told"),
    [("safe", None, ["RETRYING"]), ("safe", "'of its own wish'", []), ("naive", None, [])],
)
def test_what_celery_breaks_off_is_told_by_the_workers_main_process(
    program: Program, api: Api, delivery: str, einfo: str | None, told: list[str]
) -> None:
    program(api.url, delivery, RECEIVED.format(limits=(None, None)), BROKEN_OFF.format(einfo=einfo), TOLD)
    assert [one["status"] for one in api.updates] == told
    assert all(one["attempt"] == 3 and one["error"].startswith("broken off: ") for one in api.updates)


@pytest.mark.parametrize("delivery", ["safe", "naive"])
def test_a_job_killed_by_its_hard_limit_is_told_by_the_workers_main_process(
    program: Program, api: Api, delivery: str
) -> None:
    program(api.url, delivery, RECEIVED.format(limits=(8, 3)), KILLED.format(error="TimeLimitExceeded(8)"))
    (told,) = api.updates
    assert (told["status"], told["attempt"], told["token"]) == ("FAILED", 3, "t")
    assert told["error"].startswith("TimeLimitExceeded: its time limit was over")


@pytest.mark.parametrize(
    ("limits", "error"), [((8, 3), "ValueError(8)"), ((None, None), "TimeLimitExceeded(8)")]
)
def test_no_other_failure_is_told_by_the_main_process(
    program: Program, api: Api, limits: tuple[int | None, int | None], error: str
) -> None:
    program(api.url, "safe", RECEIVED.format(limits=limits), KILLED.format(error=error))
    assert api.posts == 0
