"""The connection that publishes ahead of the broker's confirms, at a real broker."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from harness.proxy import TcpProxy
from lab.broker import amqp
from lab.clock import now_us
from lab.job import Job
from lab.options import Options
from transports.rabbitmq.publisher import Batch, Publisher

Make = Callable[..., Publisher]


@pytest.fixture
def make(channel: BlockingChannel) -> Iterator[Make]:
    """Makes publishers that are closed at the end, and leaves no message behind."""
    made: list[Publisher] = []

    def create(url: str, window: int = 1_000) -> Publisher:
        made.append(Publisher(url, window))
        return made[-1]

    yield create
    for publisher in made:
        publisher.close()
    amqp.declare_topology(channel)
    for queue in ("tasks", "tasks.naive"):
        channel.queue_purge(queue)


@pytest.fixture
def proxy(url: str) -> Iterator[TcpProxy]:
    host, _, port = url.rpartition("@")[2].partition("/")[0].partition(":")
    with TcpProxy(host, int(port)) as running:
        yield running


def jobs(count: int, name: str = "task") -> list[Job]:
    return [Job(task_id=f"{name}-{num}", num=num, params={"timeout": 0.5}) for num in range(count)]


def published(publisher: Publisher, queue: str, some: list[Job], *, safe: bool = True) -> Batch:
    batch = publisher.begin(queue, some, safe=safe)
    publisher.wait(batch)
    return batch


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "rabbitmq publisher"]


def arrived(channel: BlockingChannel, queue: str) -> int:
    return int(channel.queue_declare(queue, passive=True).method.message_count)


def test_each_message_of_a_batch_is_confirmed_with_the_time_when_it_was_written(url: str, make: Make) -> None:
    before = now_us()
    batch = published(make(url), "tasks", jobs(300))
    times = [batch.confirmed[job.task_id] for job in jobs(300)]
    assert times == sorted(times)
    assert before < times[0] < times[-1] < now_us()
    assert (batch.refused, batch.trouble) == ({}, None)


def test_what_is_returned_or_refused_is_told_apart_from_its_neighbours(
    url: str, channel: BlockingChannel, make: Make
) -> None:
    limits = {"x-max-length": 3, "x-overflow": "reject-publish"}
    channel.queue_declare("short", arguments=limits)
    publisher = make(url)
    short, missing, good = (publisher.begin(queue, jobs(5, queue)) for queue in ("short", "missing", "tasks"))
    for batch in (short, missing, good):
        publisher.wait(batch)
    channel.queue_delete("short")
    assert short.confirmed.keys() == {"short-0", "short-1", "short-2"}
    assert set(short.refused.values()) == {"the broker has refused it"}
    assert set(missing.refused.values()) == {"no queue takes it: NO_ROUTE"}
    assert "5 messages were not taken" in (missing.trouble or "")
    assert (len(good.confirmed), good.trouble) == (5, None)


@pytest.mark.parametrize("more", [{"params": {"text": "\ud800"}}, {"kind": "k" * 300}])
def test_a_job_that_cannot_be_encoded_stops_no_other(url: str, make: Make, more: dict[str, Any]) -> None:
    bad = jobs(1, "bad")[0].model_copy(update=more)
    batch = published(make(url), "tasks", [*jobs(2), bad, *jobs(1, "last")])
    assert batch.confirmed.keys() == {"task-0", "task-1", "last-0"}
    assert batch.unsendable.keys() == {"bad-0"}
    assert batch.trouble is None


def test_no_more_is_under_way_than_the_window_lets(url: str, proxy: TcpProxy, make: Make) -> None:
    publisher = make(proxy.url(url), window=10)
    proxy.latency(0.2)
    begun = time.monotonic()
    batch = published(publisher, "tasks", jobs(35))
    assert len(batch.confirmed) == 35
    assert (
        time.monotonic() - begun > 3 * 0.4
    )  # four windows, each of which waits for confirms of the one before


def test_messages_that_are_not_safe_are_not_confirmed_by_the_broker(
    url: str, channel: BlockingChannel, make: Make
) -> None:
    publisher = make(url)
    assert len(published(publisher, "tasks.naive", jobs(5), safe=False).confirmed) == 5
    lost = published(publisher, "missing", jobs(5), safe=False)
    assert (len(lost.confirmed), lost.trouble) == (5, None)
    deadline = time.monotonic() + 10
    while arrived(channel, "tasks.naive") < 5:
        assert time.monotonic() < deadline


def test_a_delay_queue_is_declared_before_its_first_message(
    url: str, channel: BlockingChannel, make: Make
) -> None:
    later = jobs(1)[0].model_copy(update={"options": Options(not_before_us=now_us() + 600_000_000)})
    assert published(make(url), "tasks", [later]).trouble is None
    assert arrived(channel, "tasks.delay.512s") == 1
    channel.queue_delete("tasks.delay.512s")


def test_a_queue_that_has_gone_can_be_declared_again(url: str, channel: BlockingChannel, make: Make) -> None:
    publisher = make(url)
    channel.queue_delete("tasks")
    assert published(publisher, "tasks", jobs(1)).refused
    publisher.declare()
    assert published(publisher, "tasks", jobs(1)).trouble is None


def test_what_was_under_way_when_the_connection_went_stays_unconfirmed(
    url: str, proxy: TcpProxy, make: Make
) -> None:
    publisher = make(proxy.url(url))
    assert len(published(publisher, "tasks", jobs(3)).confirmed) == 3
    proxy.latency(30.0)
    first, second = publisher.begin("tasks", jobs(3)), publisher.begin("tasks", jobs(3))
    proxy.reset()
    for batch in (first, second):
        publisher.wait(batch)
        assert batch.confirmed == {}
        assert batch.error
    assert not publisher.is_open
    with pytest.raises(amqp.ERRORS):
        publisher.begin("tasks", jobs(1))


def test_a_channel_that_the_broker_closes_ends_the_connection(url: str, channel: BlockingChannel) -> None:
    publisher = Publisher(url)
    channel.queue_delete("tasks.priority")
    channel.queue_declare("tasks.priority")  # with other arguments
    publisher.declare()
    batch = publisher.begin("tasks", jobs(1))
    publisher.wait(batch)
    deadline = time.monotonic() + 10
    while publisher.is_open:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    channel.queue_delete("tasks.priority")
    with pytest.raises(amqp.ERRORS, match="PRECONDITION_FAILED"):
        publisher.begin("tasks", jobs(1))


def test_a_broker_that_is_away_is_an_error_at_once() -> None:
    with pytest.raises(amqp.ERRORS):
        Publisher("amqp://student:qwerty@127.0.0.1:1/")
    assert threads() == []


@pytest.mark.slow
def test_a_broker_that_takes_a_connection_and_says_nothing_is_an_error(url: str, proxy: TcpProxy) -> None:
    proxy.blackhole()
    begun = time.monotonic()
    with pytest.raises(amqp.ERRORS):
        Publisher(proxy.url(url))
    assert time.monotonic() - begun < 25
    assert threads() == []


def test_closing_leaves_no_thread_and_may_be_done_twice(url: str, make: Make) -> None:
    publisher = make(url)
    assert threads()
    publisher.close()
    assert threads() == []
    publisher.close()
    assert not publisher.is_open


@pytest.mark.slow
def test_a_broker_that_says_nothing_is_an_error_after_ten_seconds(
    url: str, proxy: TcpProxy, make: Make
) -> None:
    publisher = make(proxy.url(url))
    proxy.blackhole()
    batch, begun = publisher.begin("tasks", jobs(3)), time.monotonic()
    publisher.wait(batch)
    assert batch.confirmed == {}
    assert "nothing for 10 seconds" in (batch.error or "")
    assert time.monotonic() - begun < 20
    assert not publisher.is_open
    deadline = time.monotonic() + 30
    while threads():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_an_order_reaches_the_consumers(url: str, channel: BlockingChannel, make: Make) -> None:
    publisher = make(url)
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, amqp.CONTROL_EXCHANGE)
    publisher.tell({"command": "cancel", "task_id": "x"})
    deadline = time.monotonic() + 10
    while (body := channel.basic_get(queue, auto_ack=True)[2]) is None:
        assert time.monotonic() < deadline
    assert body == b'{"command": "cancel", "task_id": "x"}'
