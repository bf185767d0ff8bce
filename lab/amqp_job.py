"""A job as an AMQP message, and the queue that it goes into."""

import pika
from pika.adapters.blocking_connection import BlockingChannel

from lab import amqp
from lab.amqp_window import Batch, Envelope, Window
from lab.clock import now_us
from lab.job import Job
from lab.options import NONE
from lab.written_job import Written


def publish(channel: BlockingChannel, queue: str, job: Job, *, safe: bool = True) -> None:
    """Publishes `job` for whoever consumes `queue`.

    On a channel with confirms this returns once the broker has the message, and raises pika's errors where
    it does not take it. https://www.rabbitmq.com/docs/confirms
    """
    routing_key, properties = addressed(channel, queue, job, safe=safe)
    properties.message_id = job.task_id
    channel.basic_publish("", routing_key, job.to_json(), properties, mandatory=safe)


def publish_ahead(window: Window, batch: Batch, queue: str, job: Job | Written, *, safe: bool = True) -> None:
    """Publishes `job` as one of `batch`, and does not wait for its confirm."""
    if isinstance(job, Written):
        plain, body = True, job.body
    else:
        options = job.options
        plain = options.priority is None and options.expires_us is None and not options.not_before_us
        body = job.to_json()
    message_id = job.task_id.encode()
    key = (queue, job.kind, len(message_id))
    envelope = window.envelopes.get(key) if plain else None
    if envelope is None:
        routing_key, properties = addressed(window.channel, queue, job, safe=safe)
        envelope = Envelope(window.channel, routing_key, properties, key[2], mandatory=safe)
        if plain:
            window.envelopes[key] = envelope
    window.publish(batch, job.task_id, body, envelope)


def addressed(
    channel: BlockingChannel, queue: str, job: Job | Written, *, safe: bool
) -> tuple[str, pika.BasicProperties]:
    """The queue that `job` goes into, and its message's properties without the id: the priority queue beside
    `queue` where it has a priority, a delay queue before it where it may not begin yet.

    Safe messages are persistent, and to be published as mandatory; naive ones are neither.
    https://www.rabbitmq.com/docs/publishers#unroutable
    """
    now, options = now_us(), NONE if isinstance(job, Written) else job.options
    target = queue if options.priority is None else amqp.priority_queue(queue)
    waits_in = amqp.declare_delay_queue(channel, target, options.seconds_left(now))
    expiration = None
    if options.expires_us is not None and waits_in == target:
        expiration = str(max(0, options.expires_us - now) // 1000)
    properties = pika.BasicProperties(
        content_type="application/json",
        delivery_mode=pika.DeliveryMode.Persistent.value if safe else None,
        type=job.kind,
        priority=options.priority,
        expiration=expiration,
    )
    return waits_in, properties
