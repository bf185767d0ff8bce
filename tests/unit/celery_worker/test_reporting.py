"""What a Celery worker's processes report with, against an API that takes statuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.callback_api import Api

BEGIN = """
import os, time
from types import SimpleNamespace
from celery_worker import reporting
from celery_worker.reporting import report_of
from lab.job import Assignment
from lab.status import TaskStatus
job = Assignment("x", 1, "add", {}, "t")
"""
RUN = """
report = report_of(job, "me@here", 2)
print(report(TaskStatus.IN_PROGRESS, progress=0.0).run)
report(TaskStatus.DONE, progress=1.0, result=3)
"""
BESIDE = "job = job._replace(beside=True)"
FLUSH = """
from celery.signals import worker_process_shutdown
worker_process_shutdown.send(sender=None)
"""


def program(tmp_path: Path, url: str, delivery: str, *parts: str, tracked: str = "1") -> list[str]:
    """What a program of these `parts` prints, run in a process of its own as a worker's settings have it."""
    env = os.environ | {
        "API_URL": url, "LAB_VAR": str(tmp_path), "DELIVERY": delivery, "LAB_TRACKED": tracked,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", "\n".join((BEGIN, *parts))],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("delivery", ["safe", "naive"])
def test_a_run_is_told_as_it_begins_and_as_it_ends(tmp_path: Path, api: Api, delivery: str) -> None:
    assert program(tmp_path, api.url, delivery, RUN) == ["True"]
    assert [(told["status"], told["worker"], told["attempt"]) for told in api.updates] == [
        ("IN_PROGRESS", "me@here", 2),
        ("DONE", "me@here", 2),
    ]
    assert api.posts == 2


def test_the_safe_mode_spools_an_end_that_nobody_takes_and_as_it_comes_forgets_it(tmp_path: Path) -> None:
    for delivery, left in (("naive", 0), ("safe", 1)):
        base = tmp_path / delivery
        assert program(base, "http://127.0.0.1:1/", delivery, RUN) == ["True"]
        assert len(list((base / "spool").glob("*"))) == left


@pytest.mark.parametrize("delivery", ["safe", "naive"])
def test_a_run_beside_its_path_is_told_once_by_the_same_code_and_before_its_process_ends(
    tmp_path: Path, api: Api, delivery: str
) -> None:
    assert program(tmp_path, api.url, delivery, BESIDE, RUN, FLUSH) == ["True"]
    (told,) = api.updates
    assert (told["status"], told["attempt"], told["result"]) == ("DONE", 2, 3)
    assert told["began_at"] <= told["at"]


@pytest.mark.parametrize("delivery", ["safe", "naive"])
def test_an_untracked_lab_tells_nobody(tmp_path: Path, api: Api, delivery: str) -> None:
    assert program(tmp_path, api.url, delivery, RUN, tracked="0") == ["True"]
    assert api.posts == 0


FORWARD = """
from celery.signals import worker_init
worker_init.send(sender=None)
(address,) = reporting._forwarder
"""


@pytest.mark.parametrize("delivery", ["safe", "naive"])
def test_a_worker_has_a_forwarder_and_stamps_go_by_it(tmp_path: Path, api: Api, delivery: str) -> None:
    ran = program(
        tmp_path,
        api.url,
        delivery,
        FORWARD,
        BESIDE,
        RUN,
        RUN,
        "print(address.split('/')[-2][:13])",
        "time.sleep(2)",
    )
    assert ran == ["True", "True", "lab-forwarder"]
    assert [told["status"] for told in api.updates] == ["DONE", "DONE"]
    assert api.posts == 1


REVOKED = """
from celery.signals import task_revoked
headers = {{"lab_token": "t", "lab_attempt": 2, "x-delivery-count": 1}}
task_revoked.send(sender=None, request=SimpleNamespace(id="x", hostname="me@here", {fields}), expired={expired})
time.sleep(3)
"""


@pytest.mark.parametrize("fields", ["request_dict=headers", "headers=headers"])
@pytest.mark.parametrize(("expired", "error"), [(True, "expired"), (False, None)])
def test_a_revoked_task_is_told_by_the_workers_main_process(
    tmp_path: Path, api: Api, fields: str, expired: bool, error: str | None
) -> None:
    program(tmp_path, api.url, "safe", REVOKED.format(fields=fields, expired=expired))
    assert [(told["status"], told.get("error"), told["attempt"], told["token"]) for told in api.updates] == [
        ("CANCELLED", error, 3, "t")
    ]


KILLED = """
from celery.exceptions import TimeLimitExceeded
from celery.signals import task_failure, task_received

class Request:
    id, hostname, time_limits = "x", "me@here", {limits}
    request_dict = {{"lab_token": "t", "lab_attempt": 2, "x-delivery-count": 1}}

request = Request()
task_received.send(sender=None, request=request)
task_failure.send(sender=None, task_id="x", exception={error})
"""


@pytest.mark.parametrize("delivery", ["safe", "naive"])
def test_a_job_killed_by_its_hard_limit_is_told_by_the_workers_main_process(
    tmp_path: Path, api: Api, delivery: str
) -> None:
    program(tmp_path, api.url, delivery, KILLED.format(limits=(8, 3), error="TimeLimitExceeded(8)"))
    (told,) = api.updates
    assert (told["status"], told["attempt"], told["token"]) == ("FAILED", 3, "t")
    assert told["error"].startswith("TimeLimitExceeded: its time limit was over")


@pytest.mark.parametrize(
    ("limits", "error"), [((8, 3), "ValueError(8)"), ((None, None), "TimeLimitExceeded(8)")]
)
def test_no_other_failure_is_told_by_the_main_process(
    tmp_path: Path, api: Api, limits: tuple[int | None, int | None], error: str
) -> None:
    program(tmp_path, api.url, "safe", KILLED.format(limits=limits, error=error))
    assert api.posts == 0
