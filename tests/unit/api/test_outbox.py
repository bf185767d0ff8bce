from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.outbox import Outbox
from api.store import NewTask, Store

TIMED = NewTask("celery", "process_task", {"timeout": 5.0}, 5.0)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url)
    yield made
    made.close()


def test_a_relay_gets_its_own_tasks_at_once_and_in_order(store: Store) -> None:
    outbox = Outbox(store)
    store.add(TIMED, 3, relay="mine")
    assert [row["num"] for row in outbox.claim("mine", "celery", 2)] == [1, 2]
    assert outbox.claim("mine", "rabbitmq", 2) == []
    assert outbox.waiting() == 3


def test_published_tasks_leave_and_know_when(store: Store) -> None:
    outbox = Outbox(store)
    row = store.add(TIMED, relay="mine").rows[0]
    outbox.published([row["num"]])
    assert outbox.waiting() == 0
    published = store.get(row["id"])
    assert published is not None
    assert published["published_us"] >= row["created_us"]


def test_another_relay_waits_for_the_lease_or_the_release(store: Store) -> None:
    outbox = Outbox(store)
    store.add(TIMED, relay="first")
    assert outbox.claim("second", "celery", 10) == []
    outbox.release("first")
    assert len(outbox.claim("second", "celery", 10)) == 1


def test_two_relays_never_hold_the_same_task(store: Store) -> None:
    outbox = Outbox(store)
    store.add(TIMED, 100, relay="gone")
    outbox.release("gone")
    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(lambda n: outbox.claim(f"relay {n}", "celery", 40), range(4)))
    nums = [row["num"] for claim in claims for row in claim]
    assert len(nums) == len(set(nums)) == 100
