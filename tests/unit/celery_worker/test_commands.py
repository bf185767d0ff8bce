"""The lab's own commands of Celery's workers, on doubles; on real ones: tests/integration/test_control.py."""

import json
import logging
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from celery.concurrency.solo import TaskPool
from celery.worker.consumer import Consumer
from celery.worker.control import Panel

import celery_tasks  # noqa: F401 - registers the tasks
from celery_app import celery_app
from celery_worker.dead_letters import DeadLetteringConsumer


def test_all_commands_are_registered_and_none_changes_the_worker() -> None:
    own = {name: meta.type for name, meta in Panel.meta.items() if name.startswith("lab_")}
    assert own == {"lab_usage": "inspect", "lab_picture": "inspect"}


def test_the_usage_is_that_of_the_process_and_its_connections() -> None:
    used = Panel.data["lab_usage"](SimpleNamespace())
    assert used["cpu_seconds"] > 0
    assert (used["bytes_in"], used["bytes_out"]) == (0, 0)
    assert used["delivery"] == "safe"
    assert used["pid"]


def worker(consumer_class: type[Consumer] = Consumer, app: Any = celery_app, **fields: Any) -> Any:
    """A worker's state as its commands see it: a consumer of a real class that nothing has begun, on doubles."""
    consumer: Any = consumer_class.__new__(consumer_class)
    parts: dict[str, Any] = {
        "controller": SimpleNamespace(
            startup_time=datetime(2026, 1, 31, 12, tzinfo=UTC),
            loglevel=logging.WARNING,
            stats=lambda: {"pid": 7, "total": {"add": 5, "multiply": 1}},
        ),
        "pool": SimpleNamespace(num_processes=2),
        "task_buckets": {},
        "timer": SimpleNamespace(schedule=SimpleNamespace(queue=[]), queue=[]),
        "qos": SimpleNamespace(value=8),
        "qos_global": True,
        "lab_prefetch": 2,
        "amqheartbeat": 10,
        "steps": [],
        "gossip": SimpleNamespace(enabled=True),
        "event_dispatcher": SimpleNamespace(enabled=True, groups=[]),
        "connection": SimpleNamespace(transport=SimpleNamespace(driver_type="amqp")),
        **fields,
    }
    for name, part in parts.items():
        setattr(consumer, name, part)
    return SimpleNamespace(consumer=consumer, app=app, tset=set)


def picture(state: Any) -> dict[str, Any]:
    found: dict[str, Any] = Panel.data["lab_picture"](state)
    return found


def test_a_picture_tells_what_the_page_shows() -> None:
    told = picture(worker())
    assert (told["pid"], told["started_at"], told["delivery"]) == (7, "2026-01-31T12:00:00+00:00", "safe")
    assert (told["concurrency"], told["begun"], told["reserved"], told["scheduled"]) == (2, 6, 0, 0)
    assert (told["log_level"], told["heartbeat"], told["acknowledgement"]) == ("WARNING", 10, "after_job")
    assert {"celery", "kombu", "amqp", "billiard"} == set(told["versions"])
    assert {"add", "process_task"} <= set(told["kinds"])
    assert told["active"] == []
    assert json.loads(json.dumps(told)) == told


def test_a_picture_names_the_classes_as_they_were_loaded_and_what_the_lab_changed() -> None:
    for consumer, name, changed in (
        (Consumer, "celery.worker.consumer.consumer:Consumer", []),
        (DeadLetteringConsumer, "celery_worker.dead_letters:DeadLetteringConsumer", ["consumer"]),
    ):
        told = picture(worker(consumer, pool=TaskPool(limit=1)))
        assert told["pool"] == "solo"
        assert told["pool_class"] == "celery.concurrency.solo:TaskPool"
        assert (told["consumer_class"], told["changed_by_lab"]) == (name, changed)


def test_the_prefetch_is_the_one_that_the_broker_applies() -> None:
    assert picture(worker(qos_global=True))["prefetch"] == 8
    assert (
        picture(worker(qos_global=False))["prefetch"] == 2
    )  # a pool that grew gets no more on a quorum queue


def test_a_rate_of_nothing_is_no_limit() -> None:
    state = worker()
    names = ("add", "multiply", "process_task")
    for name, limit in zip(names, ("0", "10/m", "0/h"), strict=True):
        celery_app.tasks[name].rate_limit = limit
    try:
        assert picture(state)["rate_limits"] == {"multiply": "10/m"}
    finally:
        for name in names:
            celery_app.tasks[name].rate_limit = None


def test_what_a_rate_limit_holds_counts_as_scheduled() -> None:
    held = SimpleNamespace(contents=[("request", 1), ("another", 1)])
    assert picture(worker(task_buckets={"add": held, "multiply": None}))["scheduled"] == 2


@pytest.mark.parametrize(
    ("dispatcher", "told", "connections"),
    [
        (None, "task events off", 1),
        (SimpleNamespace(enabled=True, groups=["worker"]), "task events off", 2),
        (SimpleNamespace(enabled=True, groups=[]), "task events on", 2),
    ],
    ids=["none", "of workers only", "of tasks"],
)
def test_events_and_the_connection_that_they_take_are_told(
    dispatcher: Any, told: str, connections: int
) -> None:
    found = picture(worker(event_dispatcher=dispatcher))
    assert found["events"] == f"{told}, gossip on, mingle off"
    assert found["connections"] == connections
