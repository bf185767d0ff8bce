"""How a method handles messages in a mode of delivery, as far as its configuration says; for comparing methods.

The fields hold a few words each, the same ones wherever the same is meant.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from lab.broker.amqp import queue_arguments
from lab.delivery import Delivery
from lab.job import MAX_TIMEOUT, Job

LATE: Final = "after the job"
EARLY: Final = "when the job begins"
NONE: Final = "none"
ONE_BY_ONE: Final = "one by one"
ALL_DURABLE: Final = "queue and messages"
REPORTS_BEFORE_ACK: Final = "begin before the job, end before the acknowledgement"
REPORTS: Final = "begin before the job, end after it"
UNLIMITED: Final = "for ever"

ACKNOWLEDGEMENTS: Final = {"after_job": LATE, "at_begin": EARLY}
"""As workers tell it in their pictures."""

SAMPLE: Final = Job(
    task_id="00000000-0000-4000-8000-000000000000",
    num=1,
    kind="experiment_job",
    params={"seconds": 0.01, "work": "wait", "serial": 1},
    token="0" * 64,
    time_limit=MAX_TIMEOUT,
)


@dataclass(frozen=True)
class Configuration:
    """A method in a mode of delivery.

    Attributes:
        acknowledgement: when a message is acknowledged; confirms: how many publisher confirms are outstanding
            at most; durability: what survives a restart of the broker; redelivery: how often a message comes
            again before it is given up; retries: how a job that failed is tried again; time_limits: what is done
            to a job that takes too long; reports: when a worker tells of a job's begin and end.
        message_bytes: a message of a job without payload, its properties included.
        versions: of the libraries in between.
    """

    acknowledgement: str
    confirms: str
    durability: str
    queue_type: str
    redelivery: str
    retries: str
    time_limits: str
    reports: str
    serialisation: str
    message_bytes: int
    versions: str


def versions(*packages: str) -> str:
    """The packages with their installed versions: `celery 5.7.0, kombu 5.7.0`."""
    return listed({package: version(package) for package in packages})


def listed(found: Mapping[str, str]) -> str:
    """Versions by package, as a configuration has them."""
    return ", ".join(f"{package} {number}" for package, number in found.items())


def redelivery(queue: str, delivery: Delivery) -> str:
    """How often RabbitMQ hands a message of `queue` out again."""
    limit = queue_arguments(queue, delivery).get("x-delivery-limit")
    return UNLIMITED if limit is None else f"{limit} times"
