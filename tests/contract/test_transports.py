"""What every method promises, told once for all of them; capability flags decide what is left out."""

import statistics
import time

import pytest

from harness.lab import Lab
from transports import TRANSPORTS, transport_class

METHODS = list(TRANSPORTS)
BROKERED = [name for name in METHODS if not transport_class(name).in_request]

every_method = pytest.mark.parametrize("method", METHODS)
every_brokered_method = pytest.mark.parametrize("method", BROKERED)


@every_method
def test_a_job_goes_pending_in_progress_done(lab: Lab, method: str) -> None:
    task = lab.submit(method, 0.6)[0]
    lab.wait_for([task["id"]])
    told = lab.task(task["id"])
    assert [event["status"] for event in told["events"]] == ["PENDING", "IN_PROGRESS", "DONE"]
    assert all(event["worker"] for event in told["events"][1:])
    times = [event["at"] for event in told["events"]]
    assert times == sorted(times)
    assert told["result"] == {"status": "success", "task_num": told["num"]}
    assert 0.6 <= told["ran"] < 5
    assert told["waited"] + told["ran"] == pytest.approx(told["total"], abs=0.001)
    assert told["attempt"] == 1


@every_method
def test_a_job_of_no_seconds_is_done(lab: Lab, method: str) -> None:
    lab.wait_for([lab.submit(method, 0)[0]["id"]])


@every_method
def test_process_data_gives_the_same_figures_everywhere(lab: Lab, method: str) -> None:
    numbers = [3.5, -1, 0, 12, 12]
    body = {"method": method, "kind": "process_data", "numbers": numbers}
    task = lab.session.post(f"{lab.url}/api/tasks", json=body, timeout=30).json()["tasks"][0]
    result = lab.wait_for([task["id"]])[task["id"]]["result"]
    assert result == {
        "count": 5,
        "sum": 26.5,
        "min": -1,
        "max": 12,
        "mean": 5.3,
        "stdev": pytest.approx(statistics.pstdev(numbers)),
    }


@every_brokered_method
def test_submission_answers_before_the_job_has_run(lab: Lab, method: str) -> None:
    task = lab.submit(method, 1.0)[0]
    assert task["status"] == "PENDING"
    lab.wait_for([task["id"]])


@pytest.mark.slow
@every_brokered_method
def test_each_task_knows_when_its_own_message_was_sent(lab: Lab, method: str) -> None:
    tasks = [task["id"] for task in lab.submit(method, 0, count=200)]
    lab.wait_for(tasks, timeout=120)
    deadline = time.monotonic() + 10
    while any(lab.task(task)["published_at"] is None for task in tasks):
        assert time.monotonic() < deadline
    told = [lab.task(task) for task in tasks]
    assert all(task["created_at"] <= task["published_at"] <= task["started_at"] for task in told)
    assert len({task["published_at"] for task in told}) > 1


@every_brokered_method
def test_jobs_run_beside_each_other(lab: Lab, method: str) -> None:
    tasks = lab.submit(method, 1.0, count=3)
    told = lab.wait_for([task["id"] for task in tasks]).values()
    begins, ends = [task["started_at"] for task in told], [task["finished_at"] for task in told]
    assert max(begins) < min(ends)


@every_brokered_method
def test_progress_is_told_while_a_job_runs(lab: Lab, method: str) -> None:
    task = lab.submit(method, 2.5)[0]
    seen = set()
    while (told := lab.task(task["id"]))["status"] != "DONE":
        seen.add(told["progress"])
    assert len({share for share in seen if 0 < share < 1}) >= 2
    assert len(told["events"]) == 3


@pytest.mark.slow
def test_three_hundred_jobs_at_once_to_each_are_done_once_each(lab: Lab) -> None:
    tasks = [task["id"] for method in BROKERED for task in lab.submit(method, 0.01, count=300)]
    assert len(set(tasks)) == 300 * len(BROKERED)
    lab.wait_for(tasks, timeout=120)
    for task in tasks:
        statuses = [event["status"] for event in lab.task(task)["events"]]
        assert statuses == ["PENDING", "IN_PROGRESS", "DONE"], statuses
