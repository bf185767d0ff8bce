"""Celery's side of a job, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, sys
import celery_reporting, celery_tasks
from celery.exceptions import SoftTimeLimitExceeded
from lab.status import Verdict

told = []

class Desk:
    def for_job(self, job, worker, attempt, *, redelivered=False):
        def report(status, *, error=None, **_):
            told.append([str(status), error])
            if len(told) == int(sys.argv[1]):
                raise SoftTimeLimitExceeded()
            return Verdict(task_id=job.task_id)
        return report

celery_reporting.reporter = lambda pid: Desk()
print(json.dumps([celery_tasks.add.apply(kwargs={"x": 1, "y": 2}, task_id="t").status, told]))
"""


def run(tmp_path: Path, strikes_at: int) -> tuple[str, list[list[str | None]]]:
    env = {**os.environ, "LAB_VAR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(strikes_at)], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    status, told = json.loads(done.stdout)
    return status, told


def test_a_job_is_told_of_as_it_begins_and_as_it_ends(tmp_path: Path) -> None:
    assert run(tmp_path, 0) == ("SUCCESS", [["IN_PROGRESS", None], ["DONE", None]])


@pytest.mark.parametrize("strikes_at", [1, 2], ids=["it asks whether to run", "it tells its end"])
def test_a_job_whose_time_is_over_while_it_reports_ends_failed(tmp_path: Path, strikes_at: int) -> None:
    status, told = run(tmp_path, strikes_at)
    assert status == "FAILURE"
    assert told[-1][0] == "FAILED"
    assert "SoftTimeLimitExceeded" in str(told[-1][1])
