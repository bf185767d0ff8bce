"""A private Redis server for tests, run from the distribution's package without its service."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from harness.ports import free_port
from harness.processes import ManagedProcess, tail


def installed() -> bool:
    """Whether Redis's server is on this machine."""
    return shutil.which("redis-server") is not None


class RedisNode:
    """One server on 127.0.0.1 that keeps everything in memory: what stops or dies forgets it all.

    Its working folder and its log are `base`. As a context manager it starts and stops. The constructor
    starts nothing; it raises RuntimeError where Redis is not installed.
    """

    def __init__(self, base: Path) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            raise RuntimeError("Redis is not installed: install the package redis-server.")
        self._base = base.absolute()
        self.port = free_port()
        self._server = ManagedProcess(
            [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._base),
             "--save", "", "--appendonly", "no"],
            log=self._base / "redis.log",
        )  # fmt: skip

    @property
    def url(self) -> str:
        """The server's address, ending in a slash, where the number of a database (0 to 15) may follow."""
        return f"redis://127.0.0.1:{self.port}/"

    def start(self, timeout: float = 15.0) -> Self:
        """Starts and waits for an answer; raises RuntimeError where none comes within `timeout` seconds."""
        self._base.mkdir(parents=True, exist_ok=True)
        self._server.start()
        deadline = time.monotonic() + timeout
        while not self._answers():
            if not self._server.running or time.monotonic() > deadline:
                self._server.kill_group()
                raise RuntimeError(f"Redis did not start:\n{tail(self._server.log)}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """Stops in order; open connections are cut."""
        self._server.terminate()

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
