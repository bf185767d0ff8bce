"""What transports tell of the connections that they publish over, to a real broker."""

import secrets
from pathlib import Path

import pytest

from harness.node import RabbitNode
from lab.delivery import Delivery
from lab.job import Job
from lab.settings import Settings
from lab.traffic import Traffic
from tests.faults.stage import make_vhost
from transports import TRANSPORTS, Transport, create_transport


@pytest.fixture(scope="module")
def own_url(node: RabbitNode) -> str:
    """A virtual host of these tests' own: workers of others would run what is left here."""
    return make_vhost(node, f"t{secrets.token_hex(4)}")


BROKERED = [name for name in TRANSPORTS if name != "sync"]


def transport(name: str, own_url: str, var: Path) -> Transport:
    settings = Settings.from_env({"RMQ_URL": own_url, "LAB_VAR": str(var)})
    return create_transport(name, settings, lambda job, attempt: None)  # type: ignore[arg-type, return-value]


def difference(before: Traffic | None, after: Traffic | None, name: str) -> int:
    return int(getattr(after, name)) - int(getattr(before, name))


@pytest.mark.parametrize("delivery", Delivery)
@pytest.mark.parametrize("name", BROKERED)
def test_each_message_is_three_frames_and_its_bytes(
    name: str, delivery: Delivery, own_url: str, tmp_path: Path
) -> None:
    publisher = transport(name, own_url, tmp_path)
    assert publisher.traffic() == Traffic(0, 0, 0, 0)
    jobs = [
        Job(task_id=f"{i:08}-0000-4000-8000-000000000000", num=i, params={"timeout": 0.0}) for i in range(101)
    ]
    assert publisher.submit(jobs[:1], delivery).error is None
    before = publisher.traffic()
    assert publisher.submit(jobs[1:], delivery).error is None
    after = publisher.traffic()
    publisher.close()
    assert difference(before, after, "frames_out") == 300
    assert 100 * 150 < difference(before, after, "bytes_out") + 30_000 < 100 * 2_000
    if delivery is Delivery.SAFE:
        assert 1 <= difference(before, after, "frames_in") <= 100  # confirms, several in one
    assert publisher.traffic() == Traffic(0, 0, 0, 0)


def test_a_long_message_is_more_frames(own_url: str, tmp_path: Path) -> None:
    publisher = transport("rabbitmq", own_url, tmp_path)
    jobs = [
        Job(task_id=f"{i:08}-0000-4000-8000-000000000001", num=i, params={"payload": "x" * 300_000})
        for i in range(2)
    ]
    publisher.submit(jobs[:1])
    before = publisher.traffic()
    publisher.submit(jobs[1:])
    assert difference(before, publisher.traffic(), "frames_out") == 5  # of 131,072 bytes at most
    publisher.close()


def test_without_a_broker_there_is_no_traffic(tmp_path: Path) -> None:
    assert transport("sync", "amqp://127.0.0.1:1/", tmp_path).traffic() is None
