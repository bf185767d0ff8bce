"""What a task may ask for beside its job: the same promises by both transports."""

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from tests.vhosts import make_vhost

pytestmark = pytest.mark.slow

both = pytest.mark.parametrize("method", ["celery", "rabbitmq"])


@pytest.fixture(scope="module")
def own_lab(tmp_path_factory: pytest.TempPathFactory, node: RabbitNode) -> Iterator[Lab]:
    """A lab with one busy pair of hands on each side."""
    with Lab(tmp_path_factory.mktemp("features-lab"), make_vhost(node)) as running:
        running.start_celery(concurrency=2)
        running.start_consumer(concurrency=2)
        yield running


def submit(lab: Lab, method: str, kind: str = "process_task", **fields: Any) -> dict[str, Any]:
    """One task; a timed one of no seconds where nothing else is said."""
    if kind == "process_task":
        fields.setdefault("timeout", 0.0)
    answer = lab.session.post(
        f"{lab.url}/api/tasks", json={"method": method, "kind": kind, **fields}, timeout=60
    )
    assert answer.status_code == 202, answer.text
    task: dict[str, Any] = answer.json()["tasks"][0]
    return task


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def starts(task: dict[str, Any]) -> list[datetime]:
    return [at(event["at"]) for event in task["events"] if event["status"] == "IN_PROGRESS"]


def gaps(task: dict[str, Any]) -> list[float]:
    """Seconds from each failure to the next start."""
    failed = [at(event["at"]) for event in task["events"] if event["status"] == "RETRYING"]
    return [(start - end).total_seconds() for end, start in zip(failed, starts(task)[1:], strict=True)]


def ask(lab: Lab, task_id: str) -> dict[str, Any]:
    answer = lab.session.get(f"{lab.url}/task/{task_id}", timeout=30)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@both
def test_a_countdown_is_never_early_and_hardly_late(own_lab: Lab, method: str) -> None:
    due = {}
    for seconds in (5.5, 2.7, 1.2, 0.4):
        task = submit(own_lab, method, countdown=seconds)
        due[task["id"]] = at(task["options"]["not_before"])
        assert abs((due[task["id"]] - at(task["created_at"])).total_seconds() - seconds) < 0.01
        assert own_lab.task(task["id"])["status"] == "PENDING"
    told = own_lab.wait_for(list(due), timeout=30)
    late = [(starts(told[task])[0] - when).total_seconds() for task, when in due.items()]
    assert all(0 <= seconds < 1.0 for seconds in late), late


@both
def test_an_eta_holds_nobody_up_and_is_kept_in_order(own_lab: Lab, method: str) -> None:
    now = datetime.now(UTC)
    later = submit(own_lab, method, eta=(now + timedelta(seconds=4)).isoformat())
    sooner = submit(own_lab, method, eta=(now + timedelta(seconds=2)).isoformat())
    at_once = submit(own_lab, method)
    told = own_lab.wait_for([task["id"] for task in (later, sooner, at_once)], timeout=30)
    begun = [starts(told[task["id"]])[0] for task in (at_once, sooner, later)]
    assert begun == sorted(begun)
    assert 0 <= (begun[1] - now).total_seconds() - 2 < 1.0
    assert 0 <= (begun[2] - now).total_seconds() - 4 < 1.0


@both
def test_a_task_that_nobody_began_in_time_expires(own_lab: Lab, method: str) -> None:
    busy = [task["id"] for task in own_lab.submit(method, 3.0, count=2)]
    own_lab.wait_for(busy, "IN_PROGRESS")
    late = submit(own_lab, method, expires=1.0)
    in_time = submit(own_lab, method, expires=30.0)
    told = own_lab.wait_for([late["id"]], "CANCELLED", timeout=30)[late["id"]]
    assert told["error"] == "expired"
    assert starts(told) == []
    own_lab.wait_for([in_time["id"], *busy], timeout=30)
    assert own_lab.wait_for_letters(0) == []


@both
def test_a_fixed_retry_waits_as_long_each_time(own_lab: Lab, method: str) -> None:
    retry = {"policy": "fixed", "delay": 1.5}
    task = submit(own_lab, method, "flaky_task", timeout=0.0, times=2, retry=retry)
    told = own_lab.wait_for([task["id"]], timeout=60)[task["id"]]
    assert len(starts(told)) == 3
    assert all(1.5 <= gap < 2.5 for gap in gaps(told)), gaps(told)


@both
def test_five_retries_with_backoff_are_six_starts_at_growing_distances(own_lab: Lab, method: str) -> None:
    retry = {"policy": "exponential", "base": 0.25, "cap": 1.0, "jitter": False}
    task = submit(own_lab, method, "failing_task", timeout=0.0, max_retries=5, retry=retry)
    told = own_lab.wait_for([task["id"]], "FAILED", timeout=60)[task["id"]]
    assert len(starts(told)) == 6
    for wanted, gap in zip((0.25, 0.5, 1.0, 1.0, 1.0), gaps(told), strict=True):
        assert wanted <= gap < wanted + 1.0, gaps(told)


@both
def test_a_result_is_asked_for_in_celerys_words(own_lab: Lab, method: str) -> None:
    task = submit(own_lab, method, timeout=2.5, keep_result=True)
    seen = [ask(own_lab, task["id"])]
    while seen[-1]["status"] != "SUCCESS":
        time.sleep(0.1)
        seen.append(ask(own_lab, task["id"]))
    words = [word for word, _ in itertools.groupby(one["status"] for one in seen)]
    assert words[-2:] == ["PROCESSING", "SUCCESS"]
    progress = [one["progress"] for one in seen if one["status"] == "PROCESSING"]
    assert progress == sorted(progress)
    assert 0 < progress[0] <= progress[-1] <= 100
    assert set(seen[-1]) == {"task_id", "status", "result"}
    assert seen[-1]["result"]["status"] == "success"
    failed = submit(own_lab, method, "failing_task", timeout=0.0, max_retries=0)
    own_lab.wait_for([failed["id"]], "FAILED")
    told = ask(own_lab, failed["id"])
    assert (told["status"], "always fails" in told["error"]) == ("FAILURE", True)


def test_a_task_that_nobody_knows_is_pending(own_lab: Lab) -> None:
    assert ask(own_lab, "nobody") == {"task_id": "nobody", "status": "PENDING"}


@both
def test_a_callback_gets_the_result_and_the_errback_never_runs(own_lab: Lab, method: str) -> None:
    task = submit(
        own_lab,
        method,
        "add",
        x=4,
        y=4,
        callback={"kind": "multiply", "y": 10},
        errback={"kind": "word_count"},
    )
    then, otherwise = task["options"]["callback"], task["options"]["errback"]
    own_lab.wait_for([task["id"], then])
    assert own_lab.task(then)["result"] == 80.0
    told = own_lab.wait_for([otherwise], "CANCELLED")[otherwise]
    assert told["error"] == f"never run: task #{task['num']} ended DONE"
    assert starts(told) == []


@both
def test_an_errback_gets_the_text_of_the_error_and_the_callback_never_runs(own_lab: Lab, method: str) -> None:
    task = submit(
        own_lab,
        method,
        "failing_task",
        timeout=0.0,
        max_retries=1,
        callback={"kind": "process_task", "timeout": 0.0},
        errback={"kind": "word_count"},
    )
    own_lab.wait_for([task["id"]], "FAILED", timeout=60)
    otherwise = own_lab.wait_for([task["options"]["errback"]])[task["options"]["errback"]]
    assert otherwise["result"]["always"] == otherwise["result"]["temporaryerror"] == 1
    own_lab.wait_for([task["options"]["callback"]], "CANCELLED")


@both
def test_a_callback_that_needs_nothing_runs_as_it_is(own_lab: Lab, method: str) -> None:
    task = submit(own_lab, method, callback={"kind": "add", "x": 1, "y": 2})
    own_lab.wait_for([task["options"]["callback"]])
    assert own_lab.task(task["options"]["callback"])["result"] == 3.0


@both
def test_an_errback_of_a_hanging_job_runs_too(own_lab: Lab, method: str) -> None:
    task = submit(
        own_lab, method, "hanging_task", timeout=60.0, time_limit=1.0, errback={"kind": "word_count"}
    )
    own_lab.wait_for([task["id"]], "FAILED", timeout=30)
    otherwise = own_lab.wait_for([task["options"]["errback"]])[task["options"]["errback"]]
    assert sum(otherwise["result"].values()) > 1


@both
def test_who_cancels_a_task_cancels_what_follows_it(own_lab: Lab, method: str) -> None:
    task = submit(own_lab, method, countdown=60.0, callback={"kind": "add", "x": 1, "y": 2})
    assert own_lab.session.post(f"{own_lab.url}/api/tasks/{task['id']}/cancel", timeout=30).status_code == 202
    own_lab.wait_for([task["id"], task["options"]["callback"]], "CANCELLED")
