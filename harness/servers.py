"""Private PostgreSQL and Redis servers for tests, run from the distribution's packages without their services."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Self

import psycopg
import redis

from harness.ports import free_port
from harness.processes import ManagedProcess


def redis_binary() -> Path | None:
    """Redis's server; None where it is not on this machine."""
    found = shutil.which("redis-server")
    return Path(found) if found else None


def postgres_binary() -> Path | None:
    """PostgreSQL's newest server, in Debian's layout or beside an `initdb` on the PATH; None if there is none."""
    versions = sorted(Path("/usr/lib/postgresql").glob("[0-9]*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    found = versions[-1] if versions else shutil.which("initdb")
    return Path(found).with_name("postgres") if found else None


class Server(ManagedProcess):
    """A server on 127.0.0.1 that `name`s itself in errors. Constructors of its kinds start nothing; they raise
    RuntimeError where its package is not installed."""

    name: str

    def start(self, timeout: float = 30.0) -> Self:
        """Starts and waits for an answer; raises ProcessError where none comes within `timeout` seconds."""
        super().start()
        self.wait_until(self._answers, self.name, timeout)
        return self

    def _answers(self) -> bool:
        raise NotImplementedError


class RedisNode(Server):
    """A server that keeps everything in memory: once it stops or dies, all is forgotten. Its working folder and
    its log are `base`. The number of a database (0 to 15) may follow its `url`."""

    name = "Redis"

    def __init__(self, base: Path) -> None:
        binary = redis_binary()
        if binary is None:
            raise RuntimeError("Redis is not installed: install the package redis-server.")
        base = base.absolute()
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/"
        super().__init__(
            [str(binary), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(base),
             "--save", "", "--appendonly", "no"],
            log=base / "redis.log",
        )  # fmt: skip

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False


class PostgresNode(Server):
    """A server with its data below `base`, which are made if they are missing.

    PostgreSQL refuses to run as root, who therefore hands `base` to the user `postgres`.
    https://www.postgresql.org/docs/current/app-initdb.html
    """

    name = "PostgreSQL"

    def __init__(self, base: Path) -> None:
        binary = postgres_binary()
        if binary is None:
            raise RuntimeError("PostgreSQL is not installed: install the package postgresql.")
        self._initdb = str(binary.with_name("initdb"))
        self._data = base.absolute() / "data"
        self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if _root() else []
        self.port = free_port()
        self.url = f"postgresql+psycopg://lab@127.0.0.1:{self.port}/postgres"
        super().__init__(
            [*self._as, str(binary), "-D", str(self._data), "-p", str(self.port),
             "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off",
             "-c", "max_connections=200"],
            log=base / "postgres.log",
        )  # fmt: skip

    def start(self, timeout: float = 30.0) -> Self:
        """Makes the data folder if there is none, starts, and waits for a login, as Server.start does."""
        if not self._data.exists():
            self._make_data()
        return super().start(timeout)

    def _make_data(self) -> None:
        self._data.mkdir(parents=True)
        if _root():
            for folder in (self._data, *self._data.parents):
                if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
                    folder.chmod(folder.stat().st_mode | 0o011)
            shutil.chown(self._data, "postgres", "postgres")
        options = ["-D", str(self._data), "-U", "lab", "-A", "trust", "--encoding=UTF8"]
        subprocess.run([*self._as, self._initdb, *options], check=True, capture_output=True, cwd="/")

    def _answers(self) -> bool:
        try:
            psycopg.connect(_libpq(self.url), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def create_database(server_url: str) -> str:
    """Makes a database of a random name on the server of `server_url` and returns its URL."""
    name = f"lab_{secrets.token_hex(6)}"
    with psycopg.connect(_libpq(server_url), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server_url.rsplit("/", 1)[0] + f"/{name}"


def drop_database(url: str, server_url: str) -> None:
    """Drops the database of `url`, cutting its connections."""
    with psycopg.connect(_libpq(server_url), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {url.rsplit('/', 1)[1]} WITH (FORCE)".encode())


def _libpq(url: str) -> str:
    return url.replace("+psycopg", "")


def _root() -> bool:
    return os.geteuid() == 0
