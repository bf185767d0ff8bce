import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import pytest
from sqlalchemy.exc import SQLAlchemyError

from api.relay import BATCH, Relay, job_of
from lab.delivery import Delivery
from lab.job import Job
from lab.settings import Settings
from lab.token import verify
from store.outbox import Outbox
from store.task_queries import Row
from store.tasks import NewGroup, NewTask, Store
from transports import Submission, Transport

AT = 1_700_000_000_000_000
TIMED = NewTask("double", "process_task", {"timeout": 5.0}, 5.0)


class Double(Transport):
    """A transport that confirms what it is told to."""

    name: ClassVar[str] = "double"
    label: ClassVar[str] = "Double"

    def __init__(self) -> None:
        super().__init__(Settings.from_env({}), lambda job, attempt: pytest.fail("no report here"))
        self.got: list[Job] = []
        self.deliveries: set[Delivery] = set()
        self.told: list[str] = []
        self.up = True
        self.confirm = 1000

    def submit(self, jobs: Sequence[Job], delivery: Delivery = Delivery.SAFE) -> Submission:
        if not self.up:
            return Submission(error="away")
        taken = jobs[: self.confirm]
        self.deliveries |= {delivery}
        self.got += taken
        return Submission(
            dict.fromkeys((job.task_id for job in taken), AT), None if len(taken) == len(jobs) else "cut"
        )

    def cancel(self, task_ids: Sequence[str]) -> None:
        self.told += task_ids


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url)
    yield made
    made.close()


def test_what_is_committed_is_published_once_with_its_token(store: Store) -> None:
    transport, outbox = Double(), Outbox(store)
    relay = Relay(outbox, [transport], b"secret")
    rows = store.add(TIMED, 3, relay=relay.name).rows
    assert relay.publish(transport) is None
    assert relay.publish(transport) is None
    assert [(job.task_id, job.num) for job in transport.got] == [(row["id"], row["num"]) for row in rows]
    assert all(verify((b"secret",), job.task_id, job.token) for job in transport.got)
    assert outbox.waiting() == 0


def test_tasks_wait_while_the_broker_is_away(store: Store) -> None:
    transport, outbox = Double(), Outbox(store)
    relay = Relay(outbox, [transport], b"secret")
    store.add(TIMED, 2, relay=relay.name)
    transport.up = False
    assert relay.publish(transport) == "away"
    assert outbox.waiting() == 2
    transport.up = True
    assert relay.publish(transport) is None
    assert len(transport.got) == 2


def test_only_what_was_not_confirmed_goes_again(store: Store) -> None:
    transport, outbox = Double(), Outbox(store)
    relay = Relay(outbox, [transport], b"secret")
    store.add(TIMED, 5, relay=relay.name)
    transport.confirm = 2
    assert relay.publish(transport) == "cut"
    assert outbox.waiting() == 3
    transport.confirm = 1000
    relay.publish(transport)
    assert [job.num for job in transport.got] == [1, 2, 3, 4, 5]


class Slow(Double):
    """Confirms a batch when it is asked to; notes what happens in which order."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[tuple[str, int]] = []
        self.refused: set[int] = set()

    def begin(self, jobs: Sequence[Job], delivery: Delivery = Delivery.SAFE) -> Callable[[], Submission]:
        nums = [job.num for job in jobs]
        self.log.append(("sent", len(nums)))

        def finish() -> Submission:
            self.log.append(("confirmed", len(nums)))
            self.got += jobs
            taken = {job.task_id: AT + job.num for job in jobs if job.num not in self.refused}
            return Submission(taken, None if len(taken) == len(nums) else "refused")

        return finish


def test_a_batch_is_sent_while_the_one_before_is_confirmed(store: Store) -> None:
    transport, outbox = Slow(), Outbox(store)
    relay = Relay(outbox, [transport], b"secret")
    rows = store.add(TIMED, 2 * BATCH + 7, relay=relay.name).rows
    assert relay.publish(transport) is None
    assert transport.log == [
        ("sent", BATCH),
        ("sent", BATCH),
        ("confirmed", BATCH),
        ("sent", 7),
        ("confirmed", BATCH),
        ("confirmed", 7),
    ]
    assert [job.num for job in transport.got] == [row["num"] for row in rows]
    assert outbox.waiting() == 0
    last = store.get(rows[-1]["id"])
    assert last is not None
    assert last["published_us"] == AT + last["num"]


def test_trouble_with_one_batch_ends_the_pass_and_only_what_is_missing_goes_again(store: Store) -> None:
    transport, outbox = Slow(), Outbox(store)
    relay = Relay(outbox, [transport], b"secret")
    store.add(TIMED, 4 * BATCH, relay=relay.name)
    transport.refused = {3}
    assert relay.publish(transport) == "refused"
    assert outbox.waiting() == 2 * BATCH + 1
    transport.refused, transport.got = set(), []
    assert relay.publish(transport) is None
    assert [job.num for job in transport.got] == [3, *range(2 * BATCH + 1, 4 * BATCH + 1)]


def test_what_was_sent_is_marked_although_the_store_fails_meanwhile(store: Store) -> None:
    class Failing(Outbox):
        """Cannot be asked a second time."""

        def claim(self, owner: str, method: str, limit: int, after: int = 0) -> list[Row]:
            if after:
                raise SQLAlchemyError("away")
            return super().claim(owner, method, limit, after)

    transport = Slow()
    relay = Relay(Failing(store), [transport], b"secret")
    store.add(TIMED, BATCH + 1, relay=relay.name)
    with pytest.raises(SQLAlchemyError):
        relay.publish(transport)
    assert Outbox(store).waiting() == 1


class OneByOne(Double):
    """Takes fewer at a time."""

    batch: ClassVar[int] = 100

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def submit(self, jobs: Sequence[Job], delivery: Delivery = Delivery.SAFE) -> Submission:
        self.sizes.append(len(jobs))
        return super().submit(jobs, delivery)


@pytest.mark.parametrize(("most", "sizes"), [(BATCH, [100, 100, 50]), (90, [90, 90, 70])])
def test_a_transport_is_given_no_more_at_a_time_than_it_says(
    store: Store, most: int, sizes: list[int]
) -> None:
    transport, outbox = OneByOne(), Outbox(store)
    relay = Relay(outbox, [transport], b"secret", batch=most)
    store.add(TIMED, 250, relay=relay.name)
    assert relay.publish(transport) is None
    assert transport.sizes == sizes
    assert outbox.waiting() == 0


def test_the_jobs_that_are_published_are_those_of_the_rows(store: Store) -> None:
    news = [
        TIMED,
        replace(TIMED, params={}, kind="add", max_retries=0, time_limit=1.5),
        replace(TIMED, params={"text": "wörter", "list": [1, 2.0, None]}, options={"priority": 4}),
        replace(TIMED, options={"keep_result": True, "countdown": 60.0}),
        replace(TIMED, delivery=Delivery.NAIVE),
    ]
    rows = store.add(news, 2, relay="mine", group=NewGroup("g", None)).rows
    transport, outbox = Double(), Outbox(store)
    outbox.release("mine")
    assert Relay(outbox, [transport], b"secret").publish(transport) is None
    assert outbox.waiting() == 0
    assert transport.deliveries == {Delivery.SAFE, Delivery.NAIVE}
    assert {job.task_id: job for job in transport.got} == {row["id"]: job_of(row, b"secret") for row in rows}


class Picky(Double):
    """Cannot make a message of number 2."""

    def submit(self, jobs: Sequence[Job], delivery: Delivery = Delivery.SAFE) -> Submission:
        told = super().submit([job for job in jobs if job.num != 2], delivery)
        bad = {job.task_id: "no message" for job in jobs if job.num == 2}
        return Submission(told.confirmed, told.error, bad)


def test_a_row_that_cannot_be_sent_fails_alone(store: Store) -> None:
    transport, outbox = Picky(), Outbox(store)
    relay = Relay(outbox, [transport], b"secret")
    news = [TIMED, TIMED, replace(TIMED, options={"retry": "no policy"}), TIMED]
    rows = store.add(news, relay=relay.name).rows
    assert relay.publish(transport) is None
    assert outbox.waiting() == 0
    assert [job.num for job in transport.got] == [1, 4]
    ended = [store.get(row["id"]) or {} for row in rows]
    assert [row["status"] for row in ended] == ["PENDING", "FAILED", "FAILED", "PENDING"]
    assert ended[1]["error"] == "no message"
    assert "retry" in ended[2]["error"]


def test_its_threads_publish_when_woken_and_give_back_what_is_left_at_the_end(store: Store) -> None:
    transport, outbox = Double(), Outbox(store)
    relay = Relay(outbox, [transport], b"secret")
    transport.up = False
    store.add(TIMED, relay=relay.name)
    relay.start()
    relay.wake("double")
    relay.stop()
    transport.up = True
    other = Relay(outbox, [transport], b"secret")
    assert other.publish(transport) is None
    assert len(transport.got) == 1


def test_each_task_goes_by_its_own_mode_of_delivery(store: Store) -> None:
    transport, outbox = Double(), Outbox(store)
    relay = Relay(outbox, [transport], b"secret")
    store.add(TIMED, relay=relay.name)
    store.add(replace(TIMED, delivery=Delivery.NAIVE), relay=relay.name)
    relay.publish(transport)
    assert transport.deliveries == {Delivery.SAFE, Delivery.NAIVE}


def test_workers_are_told_of_cancellations_by_the_relays_thread(store: Store) -> None:
    transport = Double()
    relay = Relay(Outbox(store), [transport], b"secret")
    relay.start()
    relay.cancel("double", "x")
    deadline = time.monotonic() + 5
    while not transport.told:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    relay.stop()
    assert transport.told == ["x"]
