"""A private PostgreSQL server for tests, run from the distribution's package without its service."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Self

import psycopg

from harness.ports import free_port
from harness.processes import ManagedProcess


def _binaries() -> Path | None:
    """The newest server version's folder: Debian's layout, else wherever `initdb` is on the PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("[0-9]*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    found = versions[-1] if versions else shutil.which("initdb")
    return Path(found).parent if found else None


def installed() -> bool:
    """Whether PostgreSQL's server is on this machine."""
    return _binaries() is not None


class PostgresNode(ManagedProcess):
    """One server on 127.0.0.1 with its data below `base`.

    PostgreSQL refuses to run as root, who therefore hands `base` to the user `postgres`.
    https://www.postgresql.org/docs/current/app-initdb.html
    """

    def __init__(self, base: Path) -> None:
        binaries = _binaries()
        if binaries is None:
            raise RuntimeError("PostgreSQL is not installed: install the package postgresql.")
        self._binaries = binaries
        self._data = base.absolute() / "data"
        self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if _root() else []
        self.port = free_port()
        self.url = f"postgresql+psycopg://lab@127.0.0.1:{self.port}/postgres"
        super().__init__(
            [*self._as, str(binaries / "postgres"), "-D", str(self._data), "-p", str(self.port),
             "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off",
             "-c", "max_connections=200"],
            log=base / "postgres.log",
        )  # fmt: skip

    def start(self, timeout: float = 30.0) -> Self:
        """Makes the data folder where there is none, starts, and waits for a login.

        Raises ProcessError where that does not come within `timeout` seconds.
        """
        if not self._data.exists():
            self._make_data()
        super().start()
        self.wait_until(self._answers, "PostgreSQL", timeout)
        return self

    def _make_data(self) -> None:
        self._data.mkdir(parents=True)
        if _root():
            for folder in (self._data, *self._data.parents):
                if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
                    folder.chmod(folder.stat().st_mode | 0o011)
            shutil.chown(self._data, "postgres", "postgres")
        options = ["-D", str(self._data), "-U", "lab", "-A", "trust", "--encoding=UTF8"]
        command = [*self._as, str(self._binaries / "initdb"), *options]
        subprocess.run(command, check=True, capture_output=True, cwd="/")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url.replace("+psycopg", ""), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def create_database(server_url: str) -> str:
    """Makes a database of a random name on the server of `server_url` and returns its URL."""
    name = f"lab_{secrets.token_hex(6)}"
    with psycopg.connect(server_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server_url.rsplit("/", 1)[0] + f"/{name}"


def drop_database(url: str, server_url: str) -> None:
    """Drops the database of `url`, cutting its connections."""
    name = url.rsplit("/", 1)[1]
    with psycopg.connect(server_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


def _root() -> bool:
    return os.geteuid() == 0
