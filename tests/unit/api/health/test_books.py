"""The books: what pictures and store together say of tasks that are nowhere."""

from typing import Any

import pytest
import sqlalchemy as sa

from api.health.books import LOST, Books
from api.relay import job_of
from api.services import Services
from lab.clock import now_us, to_iso
from lab.delivery import Delivery
from lab.status import StatusUpdate, TaskStatus
from store.tables import tasks
from store.tasks import NewGroup, NewTask


def _queue(name: str, method: str, **figures: Any) -> dict[str, Any]:
    return {"name": name, "method": method, "ready": 0, "unacknowledged": 0, "consumers": 1, **figures}


def _worker(**facts: Any) -> dict[str, Any]:
    told = {
        "method": "rabbitmq",
        "name": "w@h",
        "delivery": "safe",
        "active": [],
        "reserved": 0,
        "scheduled": 0,
        "silent_since": None,
        "started_at": to_iso(0),
    }
    return {**told, **facts}


def picture(*queues: dict[str, Any], workers: Any = (), **facts: Any) -> dict[str, Any]:
    told = {
        "broker": {"up": True, "since": to_iso(now_us() - 10**9)},
        "workers": list(workers),
        "queues": list(queues),
        "queues_source": "management",
    }
    return {**told, **facts}


@pytest.fixture
def books(parts: Services) -> Books:
    return parts.books


def _published(parts: Services, count: int, method: str = "rabbitmq", delivery: str = "safe") -> list[str]:
    """Tasks that were published a while ago."""
    new = NewTask(method, "process_task", {"timeout": 1.0}, 1.0, Delivery(delivery))
    rows = parts.store.add(new, count, relay="r").rows
    at = now_us() - 60_000_000
    parts.outbox.published({row["num"]: at for row in rows})
    return [row["id"] for row in rows]


def _begin(parts: Services, task_id: str, worker: str = "w@h") -> None:
    parts.store.apply(
        [StatusUpdate(task_id=task_id, status=TaskStatus.IN_PROGRESS, worker=worker, run="a", first=True)]
    )


def _twice(books: Books, seen: dict[str, Any]) -> dict[str, Any]:
    """What the books say when it has been so for long enough."""
    said = books.reconcile(seen)
    suspects = {num: at - 21_000_000 for num, at in said["suspects"].items()}
    return books.reconcile({**seen, "books": {**said, "suspects": suspects}})


def _row(parts: Services, task_id: str) -> dict[str, Any]:
    return parts.store.get(task_id) or {}


def test_tasks_whose_messages_are_gone_are_sent_again_once_they_were_missing_for_long_enough(
    parts: Services, books: Books
) -> None:
    ids = _published(parts, 3)
    assert books.reconcile(picture())["nowhere"] == 0
    assert parts.outbox.waiting() == 0
    said = _twice(books, picture())
    assert (said["nowhere"], said["open"]) == (3, [])
    assert parts.outbox.waiting() == 3
    events = parts.store.history(_row(parts, ids[0])["num"])
    assert [(event["status"], event["error"]) for event in events] == [
        ("PENDING", None),
        ("PENDING", f"{LOST}; sent again"),
    ]
    assert books.reconcile({**picture(), "books": said})["suspects"] == {}


@pytest.mark.parametrize(
    "seen",
    [
        picture(_queue("tasks", "rabbitmq", ready=2)),
        picture(_queue("tasks", "rabbitmq", ready=1, unacknowledged=1)),
        picture(_queue("tasks.delay.8s", "rabbitmq", ready=2)),
        picture(_queue("tasks.priority.delay.8s", "rabbitmq", ready=2)),
        picture(_queue("tasks.dead", "rabbitmq", ready=2)),
        picture(broker={"up": False, "since": to_iso(0)}),
        picture(broker={"up": True, "since": to_iso(now_us() + 10**12)}),
        picture(
            _queue("tasks", "rabbitmq", unacknowledged=None, consumers=2),
            workers=[_worker()],
            queues_source="passive",
        ),
        picture(
            _queue("tasks", "rabbitmq", unacknowledged=None),
            workers=[_worker(reserved=1, scheduled=1)],
            queues_source="passive",
        ),
    ],
)
def test_tasks_that_may_be_somewhere_are_not_called_missing(
    parts: Services, books: Books, seen: dict[str, Any]
) -> None:
    _published(parts, 2)
    assert _twice(books, seen)["suspects"] == {}


def test_what_is_not_published_yet_or_has_just_been_is_not_missing(parts: Services, books: Books) -> None:
    new = NewTask("rabbitmq", "process_task", {"timeout": 1.0}, 1.0)
    parts.store.add(new, 2, relay="r")
    (row,) = parts.store.add(new, 1, relay="r").rows
    parts.outbox.published({row["num"]: now_us()})
    assert _twice(books, picture())["suspects"] == {}


def test_of_a_queue_that_holds_some_the_oldest_are_missing(parts: Services, books: Books) -> None:
    ids = _published(parts, 5)
    said = _twice(books, picture(_queue("tasks", "rabbitmq", ready=3)))
    assert said["nowhere"] == 2
    nums = sorted(int(num) for num in said["suspects"])
    assert nums == [_row(parts, task_id)["num"] for task_id in ids[:2]]


def test_what_a_worker_runs_is_held_by_it_and_counts_once(parts: Services, books: Books) -> None:
    running, _waiting, lost = _published(parts, 3)
    _begin(parts, running)
    seen = picture(
        _queue("tasks", "rabbitmq", ready=1, unacknowledged=1), workers=[_worker(active=[{"id": running}])]
    )
    assert _twice(books, seen)["nowhere"] == 1
    del lost


def test_a_task_whose_worker_is_gone_goes_out_as_its_next_attempt(parts: Services, books: Books) -> None:
    (task_id,) = _published(parts, 1)
    _begin(parts, task_id)
    said = _twice(books, picture(workers=[_worker(name="other@h")]))
    assert said["open"] == []
    (row,) = parts.outbox.claim("me", "rabbitmq", 10)
    assert row["attempt"] == 1
    late = StatusUpdate(task_id=task_id, status=TaskStatus.DONE, worker="w@h", attempt=1)
    begins = StatusUpdate(
        task_id=task_id, status=TaskStatus.IN_PROGRESS, worker="new@h", attempt=2, run="b", first=True
    )
    assert parts.store.apply([begins])[0].run
    assert not parts.store.apply([late])[0].applied


def test_a_member_of_a_group_is_sent_again_alone(parts: Services, books: Books) -> None:
    new = NewTask("celery", "process_task", {"timeout": 1.0}, 1.0)
    rows = parts.store.add([new, new], relay="r", group=NewGroup("g", None)).rows
    jobs = [job_of(row, b"secret") for row in parts.outbox.claim("r", "celery", 10)]
    assert [job.group_id for job in jobs] == ["g", "g"]
    parts.outbox.published({row["num"]: now_us() for row in rows})
    books.send_again([rows[0]["id"]])
    assert [job_of(row, b"secret").group_id for row in parts.outbox.claim("r", "celery", 10)] == [None]


@pytest.mark.parametrize("started_at", [to_iso(0), None])
def test_a_task_whose_worker_lives_waits_for_a_decision(
    parts: Services, books: Books, started_at: str | None
) -> None:
    (task_id,) = _published(parts, 1)
    _begin(parts, task_id)
    seen = picture(workers=[_worker(started_at=started_at)])
    said = _twice(books, seen)
    assert (said["nowhere"], said["open"]) == (1, [task_id])
    assert books.send_again([task_id]) == [task_id]
    assert parts.outbox.waiting() == 1


def test_a_task_that_its_living_worker_has_broken_off_is_sent_again(parts: Services, books: Books) -> None:
    (task_id,) = _published(parts, 1)
    _begin(parts, task_id)
    off = StatusUpdate(task_id=task_id, status=TaskStatus.RETRYING, worker="w@h", attempt=1)
    assert parts.store.apply([off])[0].applied
    said = _twice(books, picture(workers=[_worker(started_at=to_iso(0))]))
    assert (said["nowhere"], said["open"]) == (1, [])
    assert parts.outbox.waiting() == 1


def test_a_worker_that_started_later_under_the_same_name_is_another_one(
    parts: Services, books: Books
) -> None:
    (task_id,) = _published(parts, 1)
    _begin(parts, task_id)
    assert _twice(books, picture(workers=[_worker(started_at=to_iso(now_us() + 10**6))]))["open"] == []


def test_a_naive_task_that_was_lost_fails_and_says_so(parts: Services, books: Books) -> None:
    waiting, begun = _published(parts, 2, "celery", "naive")
    _begin(parts, begun)
    assert _twice(books, picture())["nowhere"] == 2
    for task_id in (waiting, begun):
        row = _row(parts, task_id)
        assert (row["status"], row["error"]) == ("FAILED", LOST)


def test_a_naive_celery_worker_that_does_not_answer_may_hold_tasks(parts: Services, books: Books) -> None:
    _published(parts, 1, "celery", "naive")
    assert _twice(books, picture(_queue("celery.naive", "celery", consumers=1)))["suspects"] == {}


def test_a_task_that_is_lost_again_and_again_is_left_to_a_person(parts: Services, books: Books) -> None:
    (task_id,) = _published(parts, 1)
    for _ in range(3):
        assert _twice(books, picture())["open"] == []
        parts.outbox.published({_row(parts, task_id)["num"]: now_us() - 60_000_000})
    assert _twice(books, picture())["open"] == [task_id]
    books.give_up([task_id])
    assert _row(parts, task_id)["status"] == "FAILED"


def test_tasks_of_experiments_and_of_the_request_are_left_out(parts: Services, books: Books) -> None:
    ids = _published(parts, 2)
    with parts.store.engine.begin() as connection:
        connection.execute(sa.update(tasks).where(tasks.c.id == ids[0]).values(method="sync"))
        connection.execute(sa.update(tasks).where(tasks.c.id == ids[1]).values(experiment_id="e"))
    assert _twice(books, picture())["suspects"] == {}
