"""The message of a job is the same whether it is published ahead of its confirm or not."""

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from lab import amqp
from lab.amqp_job import publish, publish_ahead
from lab.amqp_window import Batch, Envelope, Window
from lab.clock import now_us
from lab.job import Job
from lab.options import Options
from lab.written_job import write

JOBS = [
    Job(task_id="a", num=1, params={"timeout": 0.5}, token="t" * 64),
    Job(task_id="b" * 36, num=2, kind="add", params={"x": 1.0, "y": 2.0}),
    Job(task_id="ü" * 20, num=3, kind="word_count", params={"text": "wörter"}, token="ü"),
    Job(task_id="urgent", num=4, options=Options(priority=9)),
    Job(task_id="expires", num=5, options=Options(expires_us=now_us() + 3_600_000_000)),
    Job(task_id="later", num=6, options=Options(not_before_us=now_us() + 3_600_000_000)),
]
QUEUE_OF = {"urgent": "tasks.priority", "later": "tasks.delay.2048s"}


@pytest.fixture
def window(channel: BlockingChannel) -> Window:
    amqp.declare_topology(channel)
    return Window(channel.connection.channel())


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.task_id)
@pytest.mark.parametrize("safe", [True, False])
def test_a_message_is_the_same_both_ways(
    channel: BlockingChannel, window: Window, job: Job, safe: bool
) -> None:
    queue = QUEUE_OF.get(job.task_id, "tasks")
    publish(channel, "tasks", job, safe=safe)
    batch = Batch()
    for _ in range(2):  # the second time with the envelope that was kept
        publish_ahead(window, batch, "tasks", job, safe=safe)
    window.wait(batch)
    assert batch.confirmed.keys() == {job.task_id}
    found = []
    while len(found) < 3:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        if method is not None:
            kept = {name: value for name, value in vars(properties).items() if name != "expiration"}
            found.append((kept, body, properties.expiration is not None))
    assert found[0] == found[1] == found[2]


def test_a_written_job_makes_the_same_message(channel: BlockingChannel, window: Window) -> None:
    job = Job(task_id="x" * 36, num=7, kind="add", params={"x": 1.0, "y": [2.5]}, token="t" * 64)
    written = write(job.task_id, job.num, job.kind, '{"x": 1.0, "y": [2.5]}', job.token, None, None, None)
    batch = Batch()
    for one in (written, job, written):
        publish_ahead(window, batch, "tasks", one)
    window.wait(batch)
    found = []
    while len(found) < 3:
        method, properties, body = channel.basic_get("tasks", auto_ack=True)
        if method is not None:
            found.append((vars(properties), body))
    assert found[0] == found[1] == found[2]
    assert Job.model_validate_json(found[0][1]) == job


def test_a_message_that_comes_back_or_is_refused_is_told_apart_from_its_neighbours(
    channel: BlockingChannel, window: Window
) -> None:
    channel.queue_declare(
        "short", arguments={"x-max-length": 3, "x-overflow": "reject-publish"}, auto_delete=True
    )
    envelopes = {
        queue: Envelope(
            window.channel, queue, pika.BasicProperties(content_type="text/plain"), 5, mandatory=True
        )
        for queue in ("tasks", "short", "missing")
    }
    batch = Batch()
    queues = ("tasks", "short", "missing") * 5
    for number, queue in enumerate(queues):
        window.publish(batch, f"id-{number:02d}", b"x", envelopes[queue])
    window.wait(batch)
    by_queue = {
        queue: [f"id-{number:02d}" for number, one in enumerate(queues) if one == queue]
        for queue in envelopes
    }
    assert batch.confirmed.keys() == {*by_queue["tasks"], *by_queue["short"][:3]}
    assert {batch.refused[one] for one in by_queue["missing"]} == {"no queue takes it: NO_ROUTE"}
    assert {batch.refused[one] for one in by_queue["short"][3:]} == {"the broker has refused it"}
    assert "7 messages were not taken" in (batch.trouble or "")
    channel.queue_purge("tasks")
    channel.queue_delete("short")
