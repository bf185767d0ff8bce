"""A virtual host of the real broker for these tests alone, with no worker behind its queues."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from harness.node import RabbitNode
from lab.settings import Settings
from tests.vhosts import make_vhost


@pytest.fixture(scope="session")
def url(node: RabbitNode) -> str:
    """The virtual host's address."""
    return make_vhost(node, f"publishing-{secrets.token_hex(4)}", keep=True)


@pytest.fixture
def channel(url: str) -> Iterator[BlockingChannel]:
    """A channel to look with."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    yield connection.channel()
    connection.close()


@pytest.fixture
def brokered(url: str, tmp_path: Path) -> Settings:
    """Settings of a lab that publishes there."""
    return Settings.from_env({"LAB_VAR": str(tmp_path), "RMQ_URL": url})
