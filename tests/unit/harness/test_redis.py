"""A private Redis server, for real."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from harness.processes import ProcessError
from harness.servers import RedisNode

# Skips, or fails in CI, where Redis is missing.
pytestmark = pytest.mark.usefixtures("redis_url")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RedisNode]:
    """A server that may be stopped."""
    with RedisNode(tmp_path / "redis") as running:
        yield running


def test_it_keeps_what_it_is_given_in_the_database_that_is_named(own: RedisNode) -> None:
    with redis.Redis.from_url(f"{own.url}1") as first, redis.Redis.from_url(f"{own.url}2") as second:
        first.set("kept", "here")
        assert first.get("kept") == b"here"
        assert second.get("kept") is None


def test_it_listens_on_loopback_only(own: RedisNode) -> None:
    with redis.Redis.from_url(own.url) as client:
        assert client.config_get("bind")["bind"] == "127.0.0.1"


def test_it_starts_again_on_the_same_port_and_has_forgotten_everything(
    own: RedisNode, tmp_path: Path
) -> None:
    url = own.url
    with redis.Redis.from_url(url) as client:
        client.set("forgotten", "soon")
    own.terminate()
    own.start()
    assert own.url == url
    with redis.Redis.from_url(url) as client:
        assert client.dbsize() == 0
    assert os.listdir(tmp_path / "redis") == ["redis.log"]


def test_nothing_of_it_is_left_when_it_has_stopped(tmp_path: Path) -> None:
    with RedisNode(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        pid = client.info("server")["process_id"]
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()


def test_one_that_cannot_start_says_why(own: RedisNode, tmp_path: Path) -> None:
    second = RedisNode(tmp_path / "second")
    second.command[2] = str(own.port)
    with pytest.raises(ProcessError, match=r"Redis ended while starting:\n(?s:.)*Address already in use"):
        second.start()
