"""The engine under the store: one for SQLite, one for PostgreSQL, the same to everybody above."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from store import fast_sql
from store.tables import counters

# Together with a wait for the other processes of the API these make less than 20 seconds, after which a request is
# answered that the store is busy. Within the lab nobody holds the lock as long: another program does.
TURN_SECONDS: Final = 6.0
BUSY_MILLISECONDS: Final = 4_000
LOCK_MILLISECONDS: Final = 10_000  # PostgreSQL's

_TURN: Final = counters.update().where(counters.c.name == "change").values(value=counters.c.value)


def create_engine(url: str) -> sa.Engine:
    """An engine for `url`; connects at its first use.

    SQLite runs in WAL mode, so that pages read while workers' statuses are written, and begins its
    transactions itself: https://www.sqlite.org/wal.html, https://www.sqlite.org/lang_transaction.html
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        bounds = {"connect_timeout": 5, "options": f"-c lock_timeout={LOCK_MILLISECONDS}"}
        return sa.create_engine(
            parsed,
            pool_pre_ping=True,
            pool_size=10,
            max_overflow=20,
            connect_args=bounds,
            json_deserializer=fast_sql.json_value,
        )
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    # A connection's cache of pages holds until another one writes: the same one should write again.
    engine = sa.create_engine(
        parsed, pool_size=10, max_overflow=20, pool_use_lifo=True, json_deserializer=fast_sql.json_value
    )
    sa.event.listen(engine, "connect", _configure_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


class _Turn:
    """Who writes to a SQLite file next, among the threads and processes of one machine.

    SQLite's own way of waiting is to look again after a sleep of up to a tenth of a second, so that under load
    somebody may wait for longer than a second while others come and go; the kernel wakes who waits. Its lock
    stays in force beneath. https://www.sqlite.org/c3ref/busy_timeout.html, flock(2)
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file, self._process = -1, 0

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=TURN_SECONDS):
            busy = TimeoutError("others have been waiting for the store as well")
            raise sa.exc.OperationalError(f"lock {self._path}", None, busy) from None
        try:
            if self._process != os.getpid():  # a lock is shared with anyone who forked
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                self._process = os.getpid()
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except BaseException as error:
            self._lock.release()
            if isinstance(error, OSError):
                raise sa.exc.OperationalError(f"lock {self._path}", None, error) from error
            raise

    def __exit__(self, *_: object) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        finally:
            self._lock.release()


_turn_at: Final = cache(_Turn)


def _turn(engine: sa.Engine) -> AbstractContextManager[None]:
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path or path == ":memory:":
        return nullcontext()
    return _turn_at(f"{path}-turn")


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that takes the store's one write lock at once, so that it never has to give up
    half way for another writer."""
    with (
        _turn(engine),
        engine.connect().execution_options(lab_writes=True) as connection,
        connection.begin(),
    ):
        yield connection


def take_turn(connection: sa.Connection) -> None:
    """Makes `writing` transactions that change tasks follow each other: the counter's row lock does it on
    PostgreSQL, and on SQLite they do so from the beginning."""
    if connection.dialect.name != "sqlite":
        connection.execute(_TURN)


def _configure_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "foreign_keys = ON",
        "cache_size = -8000",  # KiB, four times the default: tasks are looked up all over an index
        f"busy_timeout = {BUSY_MILLISECONDS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("lab_writes")
    fast_sql.fetch(connection, "BEGIN IMMEDIATE" if writes else "BEGIN", ())
