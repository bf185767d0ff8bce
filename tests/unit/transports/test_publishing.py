"""What transports with a broker publish is confirmed, or told to be missing."""

import time
from collections.abc import Callable, Iterator

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from harness.proxy import TcpProxy
from lab.broker import amqp
from lab.clock import now_us
from lab.delivery import Delivery
from lab.job import Job
from lab.options import Options
from lab.plan import PlanStage, WorkflowPlan
from lab.settings import Settings
from transports import SendError, Transport, create_transport
from transports.rabbitmq.transport import IDLE_SECONDS

QUEUES = {"celery": "celery", "rabbitmq": "tasks"}
METHODS = list(QUEUES)
MANY = {"celery": 200, "rabbitmq": 2_500}  # more than is under way at once

Make = Callable[[Settings, str], Transport]


@pytest.fixture
def make(channel: BlockingChannel) -> Iterator[Make]:
    """Makes transports that are closed at the end, and leaves no message behind."""
    made: list[Transport] = []

    def create(settings: Settings, method: str) -> Transport:
        made.append(create_transport(method, settings, lambda job, attempt: pytest.fail("no report")))
        return made[-1]

    yield create
    for transport in made:
        transport.close()
    amqp.declare_topology(channel)
    for queue in QUEUES.values():
        for delivery in Delivery:
            channel.queue_purge(delivery.queue(queue))
        channel.queue_purge(amqp.priority_queue(queue))


def proxy_of(url: str) -> TcpProxy:
    """A proxy before the broker at `url`."""
    host, _, port = url.rpartition("@")[2].partition("/")[0].partition(":")
    return TcpProxy(host, int(port))


def jobs(count: int, first: int = 0) -> list[Job]:
    return [
        Job(task_id=f"task-{n:06d}", num=n, params={"timeout": 0.5}, token="t" * 64)
        for n in range(first, first + count)
    ]


def taken(channel: BlockingChannel, queue: str) -> list[str]:
    """Takes all ids out of `queue`, in order."""
    found = []
    while (answer := channel.basic_get(queue, auto_ack=True))[0] is not None:
        properties = answer[1]
        found.append(properties.message_id or properties.correlation_id)
    return found


@pytest.mark.parametrize("method", METHODS)
def test_many_jobs_arrive_in_order_and_each_knows_when(
    brokered: Settings, channel: BlockingChannel, make: Make, method: str
) -> None:
    before = now_us()
    submission = make(brokered, method).submit(jobs(MANY[method]))
    after = now_us()
    assert submission.error is None
    ids = [job.task_id for job in jobs(MANY[method])]
    assert submission.confirmed.keys() == set(ids)
    times = [submission.confirmed[task_id] for task_id in ids]
    assert times == sorted(times)
    assert before <= times[0] < times[-1] <= after
    assert taken(channel, QUEUES[method]) == ids


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_may_begin_before_the_one_before_is_confirmed(
    brokered: Settings, channel: BlockingChannel, make: Make, method: str
) -> None:
    transport = make(brokered, method)
    finish = [transport.begin(jobs(10, first)) for first in (0, 10, 20)]
    submissions = [one() for one in finish]
    assert [len(submission.confirmed) for submission in submissions] == [10, 10, 10]
    assert taken(channel, QUEUES[method]) == [job.task_id for job in jobs(30)]


@pytest.mark.parametrize("method", METHODS)
def test_what_no_queue_takes_is_not_confirmed_and_goes_again(
    brokered: Settings, channel: BlockingChannel, make: Make, method: str
) -> None:
    transport = make(brokered, method)
    assert transport.submit(jobs(3)).error is None
    channel.queue_delete(QUEUES[method])
    submission = transport.submit(jobs(3))
    assert submission.confirmed == {}
    assert "NO_ROUTE" in (submission.error or "")
    assert transport.submit(jobs(3)).error is None
    assert len(taken(channel, QUEUES[method])) == 3


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("delivery", Delivery)
def test_one_job_is_sent_over_a_connection_that_is_held(
    brokered: Settings, channel: BlockingChannel, make: Make, method: str, delivery: Delivery
) -> None:
    transport, before = make(brokered, method), now_us()
    times = [transport.send(job, delivery) for job in jobs(50)]
    assert times == sorted(times)
    assert before < times[0] < times[-1] <= now_us()
    found: list[str] = []
    deadline = time.monotonic() + 10
    while len(found) < 50 and time.monotonic() < deadline:
        found += taken(channel, delivery.queue(QUEUES[method]))
    assert found == [job.task_id for job in jobs(50)]


@pytest.mark.parametrize("method", METHODS)
def test_sending_to_no_queue_is_an_error_and_declares_it_for_the_next(
    brokered: Settings, channel: BlockingChannel, make: Make, method: str
) -> None:
    transport = make(brokered, method)
    transport.send(jobs(1)[0], Delivery.SAFE)
    channel.queue_delete(QUEUES[method])
    with pytest.raises(SendError):
        transport.send(jobs(1)[0], Delivery.SAFE)
    transport.send(jobs(1)[0], Delivery.SAFE)
    assert len(taken(channel, QUEUES[method])) == 1


@pytest.mark.parametrize("method", METHODS)
def test_sending_over_a_lost_connection_is_an_error_and_the_next_has_another(
    brokered: Settings, url: str, make: Make, method: str
) -> None:
    with proxy_of(url) as proxy:
        transport = make(brokered.with_(rmq_url=proxy.url(url), celery_broker_url=proxy.url(url)), method)
        transport.send(jobs(1)[0], Delivery.SAFE)
        proxy.cut()
        with pytest.raises(SendError):
            transport.send(jobs(1)[0], Delivery.SAFE)
        with pytest.raises(SendError):
            transport.send(jobs(1)[0], Delivery.SAFE)
        proxy.heal()
        transport.send(jobs(1)[0], Delivery.SAFE)


def test_a_connection_that_was_lost_while_nothing_was_sent_is_replaced_without_an_error(
    brokered: Settings, url: str, make: Make
) -> None:
    with proxy_of(url) as proxy:
        transport = make(brokered.with_(rmq_url=proxy.url(url)), "rabbitmq")
        transport.send(jobs(1)[0], Delivery.SAFE)
        proxy.reset()
        time.sleep(IDLE_SECONDS * 1.1)
        transport.send(jobs(1)[0], Delivery.SAFE)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("delivery", Delivery)
def test_a_job_that_cannot_be_made_into_a_message_stops_no_other(
    brokered: Settings, make: Make, method: str, delivery: Delivery
) -> None:
    bad = Job(task_id="bad", num=1, kind="word_count", params={"text": object()})
    submission = make(brokered, method).submit([*jobs(1), bad, *jobs(1, 1)], delivery)
    assert submission.confirmed.keys() == {"task-000000", "task-000001"}
    assert submission.unsendable.keys() == {"bad"}
    assert submission.error is None


@pytest.mark.parametrize("kind", ["process_task", "process_image"])
def test_a_celery_job_that_lacks_what_its_task_takes_stops_no_other(
    brokered: Settings, make: Make, kind: str
) -> None:
    bad = Job(task_id="bad", num=1, kind=kind, params={})
    transport = make(brokered, "celery")
    submission = transport.submit([*jobs(1), bad, *jobs(1, 1)])
    assert submission.confirmed.keys() == {"task-000000", "task-000001"}
    assert submission.unsendable.keys() == {"bad"}
    plan = WorkflowPlan(stages=[PlanStage(branches=[["only"]])])
    assert transport.submit_workflow(plan, {"only": bad}, ["only"]).unsendable.keys() == {"bad"}


def test_celery_stops_at_what_it_cannot_send_and_tells_which_got_through(
    brokered: Settings, channel: BlockingChannel, make: Make
) -> None:
    transport = make(brokered, "celery")
    urgent = jobs(1, 9)[0].model_copy(update={"options": Options(priority=1)})
    assert transport.submit([urgent, *jobs(1)]).error is None
    channel.queue_delete("celery.priority")
    submission = transport.submit([*jobs(2), urgent, *jobs(2, 2)])
    assert submission.confirmed.keys() == {"task-000000", "task-000001"}
    assert submission.error
    assert transport.submit([urgent, *jobs(2, 2)]).error is None


@pytest.mark.parametrize("beside", [True, False])
def test_celerys_message_says_where_reports_travel_beside_the_path(
    brokered: Settings, channel: BlockingChannel, make: Make, beside: bool
) -> None:
    make(brokered, "celery").send(jobs(1)[0].model_copy(update={"beside": beside}), Delivery.SAFE)
    _, properties, _ = channel.basic_get("celery", auto_ack=True)
    assert properties.headers.get("lab_beside", False) is beside


@pytest.mark.parametrize("method", METHODS)
def test_naive_messages_are_persistent_too_and_take_the_options_that_are_let_in(
    brokered: Settings, channel: BlockingChannel, make: Make, method: str
) -> None:
    soon, far = now_us() + 3_000_000, now_us() + 600_000_000
    following = jobs(1, 8)[0]
    some = [
        jobs(1)[0].model_copy(update=more)
        for more in (
            {"task_id": "expires", "options": Options(expires_us=far)},
            {"task_id": "links", "link": following, "link_error": following},
            {"task_id": "grouped", "group_id": f"group-{method}"},
            {"task_id": "later", "options": Options(not_before_us=soon)},
        )
    ]
    submission = make(brokered, method).submit(some, Delivery.NAIVE)
    assert (len(submission.confirmed), submission.error) == (4, None)
    found: dict[str, int] = {}
    deadline = time.monotonic() + 15
    while len(found) < 4 and time.monotonic() < deadline:
        _, properties, _ = channel.basic_get(Delivery.NAIVE.queue(QUEUES[method]), auto_ack=True)
        if properties is not None:
            found[properties.message_id or properties.correlation_id] = properties.delivery_mode
    assert found == dict.fromkeys(("expires", "links", "grouped", "later"), 2)


def test_nothing_is_confirmed_that_was_under_way_when_the_connection_went(
    brokered: Settings, url: str, make: Make
) -> None:
    with proxy_of(url) as proxy:
        transport = make(brokered.with_(rmq_url=proxy.url(url)), "rabbitmq")
        assert transport.submit(jobs(5)).error is None
        proxy.latency(30.0)
        first, second = transport.begin(jobs(5)), transport.begin(jobs(5, 5))
        proxy.reset()
        for submission in (first(), second()):
            assert submission.confirmed == {}
            assert submission.error
        proxy.latency(0.0)
        assert transport.submit(jobs(5)).error is None


def test_celery_gives_up_on_a_broker_that_confirms_nothing(brokered: Settings, url: str, make: Make) -> None:
    with proxy_of(url) as proxy:
        transport = make(brokered.with_(celery_broker_url=proxy.url(url)), "celery")
        assert transport.submit(jobs(5)).error is None
        proxy.blackhole()
        begun, submission = time.monotonic(), transport.submit(jobs(5))
        assert (submission.confirmed, bool(submission.error)) == ({}, True)
        assert time.monotonic() - begun < 10
        proxy.heal()
        assert transport.submit(jobs(5)).error is None


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("delivery", Delivery)
def test_a_job_of_many_frames_arrives_whole(
    brokered: Settings, channel: BlockingChannel, make: Make, method: str, delivery: Delivery
) -> None:
    text, escaped = "ä" * 200_000, "\\u00e4" * 200_000
    transport = make(brokered, method)
    big = Job(task_id="big", num=1, kind="word_count", params={"text": text}, token="t")
    queue = delivery.queue(QUEUES[method])
    assert transport.submit([big, *jobs(2)], delivery).confirmed.keys() >= {"big"}
    bodies: list[bytes] = []
    deadline = time.monotonic() + 10
    while len(bodies) < 3 and time.monotonic() < deadline:
        _, _, body = channel.basic_get(queue, auto_ack=True)
        bodies += [body] if body is not None else []
    assert [text in body.decode() or escaped in body.decode() for body in bodies] == [True, False, False]


@pytest.mark.parametrize("method", METHODS)
def test_urgent_and_ordinary_jobs_go_into_their_queues(
    brokered: Settings, channel: BlockingChannel, make: Make, method: str
) -> None:
    urgent = [job.model_copy(update={"options": Options(priority=7)}) for job in jobs(2, 50)]
    submission = make(brokered, method).submit([*jobs(2), *urgent, *jobs(1, 9)])
    assert submission.error is None
    assert len(submission.confirmed) == 5
    assert taken(channel, f"{QUEUES[method]}.priority") == ["task-000050", "task-000051"]
    assert taken(channel, QUEUES[method]) == ["task-000000", "task-000001", "task-000009"]


def test_celery_counts_a_group_of_which_something_was_refused_as_not_sent(
    brokered: Settings, channel: BlockingChannel, make: Make
) -> None:
    transport = make(brokered, "celery")
    assert transport.submit(jobs(1)).error is None
    group = [
        job.model_copy(update={"group_id": "g", "options": options})
        for job, options in zip(jobs(2, 1), (Options(), Options(priority=1)), strict=True)
    ]
    channel.queue_delete("celery")
    submission = transport.submit([*jobs(1, 5), *group])
    assert submission.confirmed == {}
    submission = transport.submit([*jobs(1, 5), *group])
    assert (len(submission.confirmed), submission.error) == (3, None)


def test_a_cancellation_does_not_disturb_the_counting_of_confirms(
    brokered: Settings, channel: BlockingChannel, make: Make
) -> None:
    transport = make(brokered, "rabbitmq")
    finish = transport.begin(jobs(5))
    transport.cancel(["x", "y"])
    assert len(finish().confirmed) == 5
    assert len(transport.submit(jobs(5, 5)).confirmed) == 5
    transport.keep_alive()
    assert len(taken(channel, "tasks")) == 10
