"""The message of a job is the same over a blocking channel and over an asynchronous one."""

from collections.abc import Iterator

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from lab.broker import amqp
from lab.broker.message import publish
from lab.clock import now_us
from lab.job import Job
from lab.options import Options
from transports.rabbitmq.publisher import Publisher

JOBS = [
    Job(task_id="a", num=1, params={"timeout": 0.5}, token="t" * 64),
    Job(task_id="ü" * 20, num=3, kind="word_count", params={"text": "wörter"}, token="ü"),
    Job(task_id="urgent", num=4, options=Options(priority=9)),
    Job(task_id="expires", num=5, options=Options(expires_us=now_us() + 3_600_000_000)),
    Job(task_id="later", num=6, options=Options(not_before_us=now_us() + 3_600_000_000)),
]
QUEUE_OF = {"urgent": "tasks.priority", "later": "tasks.delay.2048s"}


@pytest.fixture
def publisher(url: str) -> Iterator[Publisher]:
    made = Publisher(url)
    yield made
    made.close()


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.task_id)
@pytest.mark.parametrize("safe", [True, False])
def test_a_message_is_the_same_both_ways(
    channel: BlockingChannel, publisher: Publisher, job: Job, safe: bool
) -> None:
    amqp.declare_topology(channel)
    queue = QUEUE_OF.get(job.task_id, "tasks")
    publish(channel, "tasks", job, safe=safe)
    batch = publisher.begin("tasks", [job], safe=safe)
    publisher.wait(batch)
    assert batch.confirmed.keys() == {job.task_id}
    found = []
    while len(found) < 2:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        if method is not None:
            kept = {name: value for name, value in vars(properties).items() if name != "expiration"}
            found.append((kept, body, properties.expiration is not None))
    assert found[0] == found[1]
    properties, body, expires = found[0]
    assert (properties["delivery_mode"], properties["message_id"]) == (2, job.task_id)
    assert Job.model_validate_json(body) == job
    assert expires is (job.task_id == "expires")
