"""How Celery handles messages, read from the very application that sends and receives them."""

import json
from typing import Any

from celery import Celery

from celery_app import create_celery
from lab.broker.amqp import CELERY_QUEUE
from lab.delivery import Delivery
from lab.settings import Settings
from transports.celery.transport import task_arguments
from transports.configuration import (
    ALL_DURABLE,
    EARLY,
    LATE,
    NONE,
    ONE_BY_ONE,
    REPORTS,
    REPORTS_BEFORE_ACK,
    SAMPLE,
    UNLIMITED,
    Configuration,
    redelivery,
    versions,
)


def celery_configuration(settings: Settings, delivery: Delivery) -> Configuration:
    """Celery in the mode `delivery`, over the broker that `settings` name."""
    app = create_celery(settings, delivery)
    conf: Any = app.conf
    scheme = settings.celery_broker_url.partition(":")[0]
    over_amqp = scheme.startswith("amqp")
    queue = app.amqp.queues[conf.task_default_queue]
    late = bool(conf.task_acks_late)
    told = Configuration(
        acknowledgement=LATE if late else EARLY,
        confirms=ONE_BY_ONE if conf.broker_transport_options.get("confirm_publish") else NONE,
        durability=ALL_DURABLE if over_amqp else f"as {scheme} keeps it",
        queue_type=str((queue.queue_arguments or {}).get("x-queue-type", "classic")) if over_amqp else scheme,
        redelivery=redelivery(CELERY_QUEUE, delivery) if over_amqp else UNLIMITED,
        retries="published again, then acknowledged" if late else "published again",
        time_limits="its process is ended",
        reports=REPORTS_BEFORE_ACK if late else REPORTS,
        serialisation=str(conf.task_serializer).upper(),
        message_bytes=_message_bytes(app),
        versions=versions("celery", "kombu", *(["amqp", "billiard"] if over_amqp else ["redis", "billiard"])),
    )
    app.close()
    return told


def _message_bytes(app: Celery) -> int:
    """A message's body, headers and properties as JSON: about what they take on the wire."""
    args, kwargs = task_arguments(SAMPLE)
    made = app.amqp.as_task_v2(SAMPLE.task_id, SAMPLE.kind, args, kwargs, argsrepr=SAMPLE.arguments())
    headers = {**made.headers, "lab_token": SAMPLE.token, "lab_max_retries": SAMPLE.max_retries}
    return sum(len(json.dumps(part)) for part in (made.body, headers, made.properties))
