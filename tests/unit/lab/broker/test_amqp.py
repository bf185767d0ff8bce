import struct
from typing import Any

import pytest
from pika.spec import BasicProperties

from lab.broker import amqp


def test_a_quorum_queue_counts_deliveries_itself() -> None:
    assert amqp.delivery_count({"x-delivery-count": 3}, redelivered=True) == 3


def test_other_queues_only_know_whether_it_was_the_first_time() -> None:
    assert amqp.delivery_count({}, redelivered=True) == 1
    assert amqp.delivery_count(None, redelivered=False) == 0


def test_connections_beat_every_ten_seconds_and_do_not_hang_on_a_blocked_broker() -> None:
    made = amqp.parameters("amqp://u:p@host:5673/vhost", "name")
    assert (made.host, made.port, made.virtual_host) == ("host", 5673, "vhost")
    assert made.heartbeat == 10
    assert made.blocked_connection_timeout == 5.0


class Declared:
    """A channel that notes the queues that are declared on it."""

    def __init__(self) -> None:
        self.queues: dict[str, dict[str, Any]] = {}

    def exchange_declare(self, exchange: str, exchange_type: str, durable: bool) -> None: ...

    def queue_declare(self, queue: str, durable: bool, arguments: dict[str, Any] | None) -> None:
        self.queues[queue] = arguments or {}

    def queue_bind(self, queue: str, exchange: str, routing_key: str) -> None: ...


@pytest.mark.parametrize(
    ("seconds_left", "name"),
    [
        (0.0, "tasks"),
        (0.999, "tasks"),
        (1.0, "tasks.delay.1s"),
        (3.9, "tasks.delay.2s"),
        (4.0, "tasks.delay.4s"),
        (30 * 86_400.0, "tasks.delay.2097152s"),
    ],
)
def test_a_message_waits_in_the_longest_delay_that_is_not_too_long(seconds_left: float, name: str) -> None:
    assert amqp.declare_delay_queue(Declared(), "tasks", seconds_left) == name


def test_a_delay_queue_outlives_its_messages_and_hands_them_back() -> None:
    channel = Declared()
    amqp.declare_delay_queue(channel, "tasks.priority", 9.0)
    arguments = channel.queues["tasks.priority.delay.8s"]
    assert arguments["x-message-ttl"] == 8_000
    assert arguments["x-expires"] >= arguments["x-message-ttl"] + 3_600_000
    assert arguments["x-dead-letter-routing-key"] == "tasks.priority"
    assert arguments["x-queue-type"] == "quorum"


def test_every_queue_of_jobs_has_one_with_priorities_beside_it() -> None:
    channel = Declared()
    amqp.declare_topology(channel)
    for queue in ("celery", "tasks"):
        assert channel.queues[f"{queue}.priority"]["x-max-priority"] == 9
        assert channel.queues[f"{queue}.priority"]["x-dead-letter-routing-key"] == f"{queue}.dead"


def test_a_task_is_named_by_celerys_header_or_by_the_message_id() -> None:
    assert amqp.task_of({"id": "7"}, None) == "7"
    assert amqp.task_of({}, "8") == "8"
    assert amqp.task_of(None, None) is None


def header(value: bytes) -> dict[str, Any]:
    """What comes out of properties with a header `bad` whose encoded value is `value`, and one behind it."""
    table = b"\x03bad" + value + b"\x04good" + b"t\x01"
    properties = BasicProperties()
    properties.decode(struct.pack(">HI", BasicProperties.FLAG_HEADERS, len(table)) + table)
    found: dict[str, Any] = properties.headers
    return found


@pytest.mark.parametrize(
    "value",
    [
        b"T" + struct.pack(">Q", 2**63),
        b"T" + struct.pack(">Q", 10**12),
        b"d" + struct.pack(">d", float("nan")),
        b"f" + struct.pack(">f", float("inf")),
        b"A" + struct.pack(">IcQ", 9, b"T", 2**63),
    ],
)
def test_a_header_that_pika_cannot_decode_leaves_the_others_as_they_are(value: bytes) -> None:
    found = header(value)
    assert found["good"] is True
    assert "T:" in str(found["bad"]) or isinstance(found["bad"], amqp.Unreadable)


def test_tables_in_tables_in_tables_end_somewhere() -> None:
    nested = b""
    for _ in range(5_000):
        nested = b"A" + struct.pack(">I", len(nested)) + nested
    assert header(nested)["good"] is True


def test_a_count_of_deliveries_that_is_forged_is_bounded() -> None:
    assert amqp.delivery_count({"x-delivery-count": 2**62}, redelivered=True) == amqp.MOST_DELIVERIES
    assert amqp.delivery_count({"x-delivery-count": -5}, redelivered=True) == 0
