from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from store.outbox import Outbox
from store.tasks import NewGroup, NewTask, Store

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


def test_a_row_holds_what_a_message_needs(store: Store) -> None:
    plain = replace(TIMED, params={"a": ["ж", 1.5, None]}, max_retries=2, time_limit=7.5)
    store.add([plain, replace(TIMED, params={}, options={"priority": 3})], relay="mine")
    first, second = Outbox(store).claim("mine", "celery", 2)
    assert first["params"] == plain.params
    assert (first["options"], first["max_retries"], first["time_limit"]) == (None, 2, 7.5)
    assert (second["params"], second["options"]) == ({}, {"priority": 3})


def test_published_tasks_leave_and_know_when_each_was_sent(store: Store) -> None:
    outbox = Outbox(store)
    rows = store.add(TIMED, 6, relay="mine").rows
    times = {rows[0]["num"]: 11, rows[1]["num"]: 11, rows[2]["num"]: 12, rows[4]["num"]: 12}
    outbox.published(times)
    assert [row["num"] for row in outbox.claim("mine", "celery", 10)] == [4, 6]
    told = {row["num"]: row["published_us"] for row in store.get_all([row["id"] for row in rows])}
    assert told == {1: 11, 2: 11, 3: 12, 4: None, 5: 12, 6: None}


def test_what_is_under_way_is_not_taken_twice(store: Store) -> None:
    outbox = Outbox(store)
    store.add(TIMED, 5, relay="mine")
    first = outbox.claim("mine", "celery", 2)
    second = outbox.claim("mine", "celery", 2, after=first[-1]["num"])
    assert [row["num"] for row in first + second] == [1, 2, 3, 4]
    assert len(outbox.claim("mine", "celery", 10)) == 5


def test_a_group_comes_whole(store: Store) -> None:
    outbox = Outbox(store)
    store.add(TIMED, relay="mine")
    store.add([TIMED] * 4, relay="mine", group=NewGroup("g", None))
    store.add(TIMED, relay="mine")
    claimed = outbox.claim("mine", "celery", 3)
    assert [row["num"] for row in claimed] == [1, 2, 3, 4, 5]
    assert outbox.claim("other", "celery", 10) == []
    assert [row["num"] for row in outbox.claim("mine", "celery", 3, after=5)] == [6]


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
