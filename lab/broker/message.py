"""A job as an AMQP message, and the queue that it goes into."""

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.channel import Channel

from lab.broker import amqp
from lab.clock import now_us
from lab.job import Job


def read(body: bytes, properties: pika.BasicProperties) -> Job:
    """The job that a message holds.

    Raises:
        ValueError: it holds none, or has a header that cannot be read.
    """
    if unreadable := [
        n for n, value in (properties.headers or {}).items() if isinstance(value, amqp.Unreadable)
    ]:
        raise ValueError(f"the header {unreadable[0]!r} cannot be read")
    return Job.model_validate_json(body)


def publish(
    channel: BlockingChannel | Channel, queue: str, job: Job, *, safe: bool = True, now: int | None = None
) -> None:
    """Publishes `job` for the consumers of `queue`, mandatory where it is `safe`; its times count from `now`
    (microseconds since the epoch), by default this machine's clock.

    On a blocking channel with confirms this returns once the broker has the message, and raises pika's errors
    where it does not take it. https://www.rabbitmq.com/docs/confirms,
    https://www.rabbitmq.com/docs/publishers#unroutable
    """
    routing_key, properties = addressed(channel, queue, job, now_us() if now is None else now)
    channel.basic_publish("", routing_key, job.to_json(), properties, mandatory=safe)


def addressed(channel: amqp.Channel, queue: str, job: Job, now: int) -> tuple[str, pika.BasicProperties]:
    """The queue that `job` goes into at `now`, and its message's properties: the priority queue beside `queue` where
    it has a priority, a delay queue before it where it may not begin yet. Messages are persistent."""
    options = job.options
    target = queue if options.priority is None else amqp.priority_queue(queue)
    waits_in = amqp.declare_delay_queue(channel, target, options.seconds_left(now))
    expiration = None
    if options.expires_us is not None and waits_in == target:
        expiration = str(max(0, options.expires_us - now) // 1000)
    properties = pika.BasicProperties(
        content_type="application/json",
        delivery_mode=pika.DeliveryMode.Persistent.value,
        message_id=job.task_id,
        type=job.kind,
        priority=options.priority,
        expiration=expiration,
    )
    return waits_in, properties
