from collections.abc import Iterator, Sequence
from typing import ClassVar

import pytest

from api.outbox import Outbox
from api.relay import Relay
from api.store import NewTask, Store
from lab.job import Job
from lab.settings import Settings
from lab.token import verify
from transports import Submission, Transport

TIMED = NewTask("double", "process_task", {"timeout": 5.0}, 5.0)


class Double(Transport):
    """A transport that confirms what it is told to."""

    name: ClassVar[str] = "double"
    label: ClassVar[str] = "Double"

    def __init__(self) -> None:
        super().__init__(Settings.from_env({}), lambda job: pytest.fail("no report here"))
        self.got: list[Job] = []
        self.up = True
        self.confirm = 1000

    def submit(self, jobs: Sequence[Job]) -> Submission:
        if not self.up:
            return Submission(error="away")
        taken = jobs[: self.confirm]
        self.got += taken
        return Submission(frozenset(job.task_id for job in taken), None if len(taken) == len(jobs) else "cut")


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
    assert all(verify(b"secret", job.task_id, job.token) for job in transport.got)
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
