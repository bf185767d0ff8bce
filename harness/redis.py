"""A private Redis server for tests, run from the distribution's package without its service."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Self

import redis

from harness.ports import free_port
from harness.processes import ManagedProcess


def installed() -> bool:
    """Whether Redis's server is on this machine."""
    return shutil.which("redis-server") is not None


class RedisNode(ManagedProcess):
    """One server on 127.0.0.1 that keeps everything in memory: what stops or dies forgets it all.

    Its working folder and its log are `base`. The constructor starts nothing; it raises RuntimeError where
    Redis is not installed.
    """

    def __init__(self, base: Path) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            raise RuntimeError("Redis is not installed: install the package redis-server.")
        base = base.absolute()
        self.port = free_port()
        super().__init__(
            [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(base),
             "--save", "", "--appendonly", "no"],
            log=base / "redis.log",
        )  # fmt: skip

    @property
    def url(self) -> str:
        """The server's address, ending in a slash, where the number of a database (0 to 15) may follow."""
        return f"redis://127.0.0.1:{self.port}/"

    def start(self, timeout: float = 15.0) -> Self:
        """Starts and waits for an answer; raises ProcessError where none comes within `timeout` seconds."""
        super().start()
        self.wait_until(self._answers, "Redis", timeout)
        return self

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False
