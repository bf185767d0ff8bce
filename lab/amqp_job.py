"""A job as an AMQP message, and the queue that it goes into."""

import pika
from pika.adapters.blocking_connection import BlockingChannel

from lab import amqp
from lab.clock import now_us
from lab.job import Job


def publish(channel: BlockingChannel, queue: str, job: Job, *, safe: bool = True) -> None:
    """Publishes `job` for whoever consumes `queue`: into the priority queue beside it where it has a
    priority, into a delay queue before it where it may not begin yet.

    Safe messages are persistent and mandatory; on a channel with confirms this returns once the broker has
    the message, and raises pika's errors where it does not take it. Naive ones are none of it.
    https://www.rabbitmq.com/docs/confirms, https://www.rabbitmq.com/docs/publishers#unroutable
    """
    now, options = now_us(), job.options
    target = queue if options.priority is None else amqp.priority_queue(queue)
    waits_in = amqp.declare_delay_queue(channel, target, options.seconds_left(now))
    expiration = None
    if options.expires_us is not None and waits_in == target:
        expiration = str(max(0, options.expires_us - now) // 1000)
    channel.basic_publish(
        exchange="",
        routing_key=waits_in,
        body=job.to_json(),
        properties=pika.BasicProperties(
            content_type="application/json",
            delivery_mode=pika.DeliveryMode.Persistent.value if safe else None,
            message_id=job.task_id,
            type=job.kind,
            priority=options.priority,
            expiration=expiration,
        ),
        mandatory=safe,
    )
