"""The engine under the store: one for SQLite, one for PostgreSQL, the same to everybody above."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import make_url

BUSY_MILLISECONDS: Final = 15_000


def create_engine(url: str) -> sa.Engine:
    """An engine for `url`; connects at its first use.

    SQLite runs in WAL mode, so that pages read while workers' statuses are written, and begins its
    transactions itself: https://www.sqlite.org/wal.html, https://www.sqlite.org/lang_transaction.html
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed, pool_pre_ping=True, pool_size=10, max_overflow=20)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    # A connection's cache of pages holds until another one writes: the same one should write again.
    engine = sa.create_engine(parsed, pool_size=10, max_overflow=20, pool_use_lifo=True)
    sa.event.listen(engine, "connect", _configure_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that takes the store's one write lock at once, so that it never has to give up
    half way for another writer."""
    with engine.connect().execution_options(lab_writes=True) as connection, connection.begin():
        yield connection


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
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
