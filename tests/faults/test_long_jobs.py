"""A job that takes longer than several heartbeats."""

from pathlib import Path

import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from lab.broker import amqp

LONG_SECONDS = 90.0


@pytest.mark.faults
def test_a_job_of_ninety_seconds_survives_heartbeats_of_ten(tmp_path: Path, own_node: RabbitNode) -> None:
    with Lab(tmp_path, own_node.url) as running:
        running.start_consumer(concurrency=1)
        task = running.submit("rabbitmq", LONG_SECONDS)[0]["id"]
        listed = own_node.ctl("list_connections", "--formatter", "json", "timeout", "client_properties")
        assert amqp.HEARTBEAT_SECONDS == 10
        assert '"timeout":10' in listed.replace(" ", "")
        told = running.wait_for([task], timeout=LONG_SECONDS + 30)[task]
    assert [(event["status"], event["attempt"]) for event in told["events"]] == [
        ("PENDING", 0),
        ("IN_PROGRESS", 1),
        ("DONE", 1),
    ]
    assert LONG_SECONDS <= told["ran"] < LONG_SECONDS + 2
