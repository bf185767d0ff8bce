"""The lab's own commands of Celery's workers, on doubles; on real ones: tests/integration/test_control.py."""

from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker.control import Panel

import celery_control  # noqa: F401 - registers the commands


class Pool:
    def __init__(self, size: int, idle: int) -> None:
        self.num_processes, self._idle = size, idle

    def grow(self, n: int) -> None:
        self.num_processes += n

    def shrink(self, n: int) -> None:
        """As billiard does it: idle processes only, and an error where there were too few."""
        gone = min(n, self._idle)
        self.num_processes -= gone
        if gone < n:
            raise ValueError("Can't shrink pool. All processes busy!")


class Worker:
    """As much of a worker as the pool's command touches."""

    def __init__(self, size: int, idle: int = 0, qos_global: bool = False) -> None:
        self.pool = Pool(size, idle)
        self.qos_global = qos_global
        self.said: list[Any] = []
        self.qos = SimpleNamespace(update=lambda: self.said.append("qos"))
        self.task_consumer = SimpleNamespace(
            cancel=lambda: self.said.append("cancel"), consume=lambda: self.said.append("consume")
        )

    def _update_prefetch_count(self, change: int) -> None:
        self.said.append(change)


def resize(worker: Worker, n: int) -> dict[str, Any]:
    answer: dict[str, Any] = Panel.data["lab_pool"](SimpleNamespace(consumer=worker), n=n)
    return answer


def test_all_commands_are_registered() -> None:
    assert Panel.meta["lab_usage"].type == "inspect"
    assert Panel.meta["lab_picture"].type == "inspect"
    assert Panel.meta["lab_pool"].type == "control"


def test_a_grown_pool_consumes_anew_with_the_greater_prefetch() -> None:
    worker = Worker(2)
    assert resize(worker, 3) == {"ok": "5 processes"}
    assert worker.said == [3, "cancel", "qos", "consume"]


def test_where_the_prefetch_is_the_whole_channels_it_counts_at_once() -> None:
    worker = Worker(2, qos_global=True)
    resize(worker, 1)
    assert worker.said == [1]


@pytest.mark.parametrize(("n", "left"), [(-1, 2), (-2, 1), (-100, 1)])
def test_a_pool_shrinks_to_one_at_the_least(n: int, left: int) -> None:
    worker = Worker(3, idle=3)
    assert resize(worker, n) == {"ok": f"{left} processes"}
    assert worker.pool.num_processes == left


def test_a_pool_that_is_too_busy_says_so_and_counts_what_did_go() -> None:
    worker = Worker(4, idle=1)
    assert resize(worker, -3) == {"error": "Can't shrink pool. All processes busy!"}
    assert worker.said[0] == -1


def test_nothing_to_change_changes_nothing() -> None:
    worker = Worker(1)
    assert resize(worker, -1) == {"ok": "1 processes"}
    assert worker.said == []


def test_the_usage_counts_the_workers_own_connections() -> None:
    inner = SimpleNamespace(sock=None, bytes_recv=5, bytes_sent=7)
    connection = SimpleNamespace(connected=True, connection=inner)
    events = SimpleNamespace(connection=connection)
    consumer = SimpleNamespace(connection=connection, event_dispatcher=events)
    used = Panel.data["lab_usage"](SimpleNamespace(consumer=consumer), reset=False)
    assert (used["frames_in"], used["frames_out"], used["bytes_in"]) == (10, 14, None)
    assert used["cpu_seconds"] > 0
    assert used["delivery"] == "safe"
    without_events = SimpleNamespace(connection=connection, event_dispatcher=None)
    assert Panel.data["lab_usage"](SimpleNamespace(consumer=without_events))["frames_in"] == 5
