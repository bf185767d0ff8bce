import multiprocessing
from typing import Any

import pytest
from pydantic_core import from_json

from lab.job import Job
from lab.reporting.job_report import Lines
from lab.status import StatusUpdate, TaskStatus

JOB = Job(task_id="x", num=1, token="t")


def test_a_line_is_read_as_the_update_that_it_says() -> None:
    line = Lines(JOB, "worker@host", 2, False).line(TaskStatus.DONE, progress=1.0, result={"a": [1, None]})
    update = StatusUpdate.model_validate_json(line.json)
    assert (update.task_id, update.status, update.attempt, update.worker) == (
        "x",
        TaskStatus.DONE,
        2,
        "worker@host",
    )
    assert (update.token, update.progress, update.result, update.first) == ("t", 1.0, {"a": [1, None]}, True)


def test_a_line_is_told_with_the_time_that_it_is_given() -> None:
    line = Lines(JOB, "w", 1, False).line(TaskStatus.DONE, at_us=1_700_000_000_000_001)
    assert StatusUpdate.model_validate_json(line.json).at.timestamp() == pytest.approx(
        1_700_000_000.000001, abs=1e-6
    )


def test_a_line_may_carry_when_its_run_began() -> None:
    lines = Lines(JOB, "w", 1, True)
    told = StatusUpdate.model_validate_json(
        lines.line(TaskStatus.DONE, at_us=1_700_000_001_000_000, began_us=1_700_000_000_000_000).json
    )
    assert told.began_at is not None
    assert (told.at - told.began_at).total_seconds() == 1.0
    assert not told.first
    assert StatusUpdate.model_validate_json(lines.line(TaskStatus.DONE).json).began_at is None


def test_all_lines_of_a_run_bear_its_name_and_each_run_has_another() -> None:
    one, other = Lines(JOB, "w", 1, False), Lines(JOB, "w", 1, False)
    told = [from_json(lines.line(TaskStatus.IN_PROGRESS).json)["run"] for lines in (one, one, other)]
    assert told == [one.run, one.run, other.run]
    assert one.run != other.run


def _run(answer: Any) -> None:
    line = Lines(JOB, "w", 1, False).line(TaskStatus.IN_PROGRESS)
    answer.put(from_json(line.json)["run"])


def test_runs_in_forked_processes_have_names_of_their_own() -> None:
    fork = multiprocessing.get_context("fork")
    answer = fork.SimpleQueue()
    names = set()
    for _ in range(2):
        child = fork.Process(target=_run, args=(answer,))
        child.start()
        names.add(answer.get())
        child.join()
    assert len(names) == 2
