"""Tasks with a priority: which go first, and what becomes of one whose worker dies."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from harness.processes import ManagedProcess
from lab.broker import amqp
from tests.integration.test_features import at, both, starts, submit
from tests.vhosts import make_vhost

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def module_lab(tmp_path_factory: pytest.TempPathFactory, node: RabbitNode) -> Iterator[Lab]:
    """A lab without workers, on queues of its own."""
    with Lab(tmp_path_factory.mktemp("priority"), make_vhost(node)) as running:
        yield running


@pytest.fixture
def own_lab(module_lab: Lab) -> Iterator[Lab]:
    """That lab, whose workers end with the test."""
    yield module_lab
    for worker in module_lab.workers:
        worker.kill_group()
    module_lab.workers.clear()


def start(lab: Lab, method: str, name: str = "one", concurrency: int = 1) -> ManagedProcess:
    started = lab.start_celery if method == "celery" else lab.start_consumer
    return started(concurrency, name)


def many(lab: Lab, method: str, count: int, **fields: Any) -> list[str]:
    # A job takes longer than a message, so that the next urgent one is here when it ends.
    answer = lab.session.post(
        f"{lab.url}/api/tasks",
        json={"method": method, "timeout": 0.1, "count": count, **fields},
        timeout=60,
    )
    assert answer.status_code == 202, answer.text
    return [task["id"] for task in answer.json()["tasks"]]


def in_order(lab: Lab, task_ids: list[str]) -> list[str]:
    told = lab.wait_for(task_ids, timeout=90)
    begun: dict[str, datetime] = {task_id: starts(told[task_id])[0] for task_id in task_ids}
    return sorted(task_ids, key=lambda task_id: begun[task_id])


@pytest.mark.alone
@pytest.mark.parametrize("busy_with", [None, 5])
def test_five_urgent_tasks_go_before_fifty_that_wait(own_lab: Lab, busy_with: int | None) -> None:
    start(own_lab, "rabbitmq")
    fields = {} if busy_with is None else {"priority": busy_with}
    busy = submit(own_lab, "rabbitmq", timeout=5.0, **fields)  # until all others have come
    own_lab.wait_for([busy["id"]], "IN_PROGRESS")
    ordinary = many(own_lab, "rabbitmq", 10)
    low = many(own_lab, "rabbitmq", 40, priority=1)
    high = many(own_lab, "rabbitmq", 5, priority=9)
    own_lab.wait_for([*ordinary, *low, *high], "PENDING")
    order = in_order(own_lab, [*ordinary, *low, *high])
    ahead = 2 if busy_with is None else 1  # what the worker holds: it was sent before these came
    assert set(order[:ahead]) <= set(low)
    assert order[ahead : ahead + 5] == high
    # An ordinary job slips in where the next urgent message is on its way all the same.
    assert sum(task in low for task in order[:45]) >= 38


@pytest.mark.alone
def test_celery_runs_what_it_holds_before_what_is_urgent(own_lab: Lab) -> None:
    start(own_lab, "celery")
    busy = submit(own_lab, "celery", timeout=5.0)
    own_lab.wait_for([busy["id"]], "IN_PROGRESS")
    ordinary = many(own_lab, "celery", 10)
    low = many(own_lab, "celery", 10, priority=1)
    high = many(own_lab, "celery", 5, priority=9)
    own_lab.wait_for([*ordinary, *low, *high], "PENDING")
    order = in_order(own_lab, [*ordinary, *low, *high])
    urgent = [task for task in order if task not in ordinary]
    assert urgent[0] in low  # held before the urgent ones came
    assert urgent[1:6] == high
    # Both queues are consumed alike, so that urgent and ordinary jobs take turns.
    assert set(high) <= set(order[:14])
    assert sum(task in ordinary for task in order[:12]) >= 4


def test_an_urgent_task_that_kills_its_process_goes_on_through_the_ordinary_queue_and_is_given_up(
    own_lab: Lab,
) -> None:
    worker = start(own_lab, "celery")
    task = submit(own_lab, "celery", "killer_task", timeout=0.0, priority=9)
    told = own_lab.wait_for([task["id"]], "FAILED", timeout=90)[task["id"]]
    assert "came back too often" in told["error"]
    begun = [event["attempt"] for event in told["events"] if event["status"] == "IN_PROGRESS"]
    # Once from the priority queue, then as often as a quorum queue hands a message out.
    assert begun == list(range(1, 1 + 1 + amqp.DELIVERY_LIMIT + 1))
    (letter,) = own_lab.wait_for_letters(1)
    assert (letter["task_id"], letter["queue"], letter["reason"]) == (task["id"], "celery", "delivery_limit")
    assert worker.running
    own_lab.wait_for([submit(own_lab, "celery", timeout=0.0, priority=9)["id"]])


@both
def test_an_idle_worker_begins_an_urgent_task_soon(own_lab: Lab, method: str) -> None:
    start(own_lab, method)
    many(own_lab, method, 1)
    task = submit(own_lab, method, priority=0)
    told = own_lab.wait_for([task["id"]])[task["id"]]
    assert told["waited"] < 2.0


@both
def test_an_urgent_task_waits_for_its_time_too(own_lab: Lab, method: str) -> None:
    start(own_lab, method)
    task = submit(own_lab, method, priority=9, countdown=2.5)
    told = own_lab.wait_for([task["id"]], timeout=30)[task["id"]]
    assert 0 <= (starts(told)[0] - at(task["options"]["not_before"])).total_seconds() < 1.5


@both
def test_an_urgent_task_of_a_killed_worker_runs_again(own_lab: Lab, method: str) -> None:
    victim = start(own_lab, method, "victim")
    task = submit(own_lab, method, timeout=2.0, priority=9)
    own_lab.wait_for([task["id"]], "IN_PROGRESS")
    victim.kill_group()
    start(own_lab, method, "heir")
    told = own_lab.wait_for([task["id"]], timeout=90)[task["id"]]
    assert (told["attempt"], told["worker"].split("@")[0]) == (2, "heir")


@both
def test_a_retry_keeps_its_priority(own_lab: Lab, method: str) -> None:
    start(own_lab, method)
    task = submit(own_lab, method, "flaky_task", timeout=0.0, times=1, priority=9)
    told = own_lab.wait_for([task["id"]], timeout=30)[task["id"]]
    assert (told["status"], len(starts(told))) == ("DONE", 2)
