"""Many rows at once, in the database's own words: SQLAlchemy's way there costs several times the way itself.

Values are those that the columns hold, but JSON is text already (`json_text`).
"""
# ruff: noqa: S608 -- names of tables and columns are the code's own, values are bound

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain
from typing import Any, Final

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.dialects.postgresql.base import PGDialect

Values = Sequence[tuple[Any, ...]]

TOGETHER: Final = 50  # rows that SQLite takes with one statement: a quarter cheaper than one by one

_POSTGRESQL: Final[sa.Dialect] = PGDialect()  # type: ignore[no-untyped-call]


def json_text(value: Any) -> str | None:
    """`value` as a JSON column takes it here; NaN and infinity become null: JSON has neither."""
    return None if value is None else to_json(value, inf_nan_mode="null").decode()


def json_value(text: str | bytes) -> Any:
    """What a JSON column holds. One that holds something else is told as such: no row may take a list down."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        return {"unreadable": str(error)}


def insert(connection: sa.Connection, table: sa.Table, names: tuple[str, ...], rows: Values) -> None:
    """Inserts `rows`, each the values of the columns `names`."""
    if connection.dialect.name == "sqlite":
        whole = len(rows) - len(rows) % TOGETHER
        joined = [tuple(chain.from_iterable(rows[at : at + TOGETHER])) for at in range(0, whole, TOGETHER)]
        each(connection, _insert("sqlite", table, names, TOGETHER), joined)
        each(connection, _insert("sqlite", table, names), rows[whole:])
    else:
        _execute(connection, _insert(connection.dialect.name, table, names), rows)


def update(connection: sa.Connection, table: sa.Table, names: tuple[str, ...], rows: Values) -> None:
    """Sets the columns `names` of those rows whose `num` is the last of each one's values."""
    _execute(connection, _update(connection.dialect.name, table, names), rows)


def select(
    connection: sa.Connection,
    table: sa.Table,
    names: tuple[str, ...],
    ids: Sequence[str],
) -> list[dict[str, Any]]:
    """The columns `names` of the rows with these ids."""
    sqlite = connection.dialect.name == "sqlite"
    asked = json.dumps(ids) if sqlite else list(ids)
    found = fetch(connection, _select(connection.dialect.name, table, names), (asked,))
    rows = [dict(zip(names, row, strict=True)) for row in found]
    if sqlite:
        for name in _json_names(table, names):
            for row in rows:
                if isinstance(row[name], str):  # SQLite may keep a bare number as one
                    row[name] = json_value(row[name])
    return rows


def fetch(connection: sa.Connection, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Runs `statement`, in which `?` stands for each of `values`; returns the rows that it gives."""
    if connection.dialect.name == "sqlite":
        with _cursor(connection, statement) as cursor:
            return cursor.execute(statement, values).fetchall()
    found = connection.exec_driver_sql(statement.replace("?", "%s"), values).cursor
    return list(found.fetchall()) if found else []


def each(connection: sa.Connection, statement: str, rows: Values) -> None:
    """Runs `statement`, in which `?` stands for each value of a row, for each of `rows`."""
    if connection.dialect.name == "sqlite":
        with _cursor(connection, statement) as cursor:
            cursor.executemany(statement, rows)
    else:
        connection.exec_driver_sql(statement.replace("?", "%s"), list(rows))


@contextmanager
def _cursor(connection: sa.Connection, statement: str) -> Iterator[sqlite3.Cursor]:
    """The driver's own: SQLAlchemy makes an object of each statement and of each column that it returns."""
    cursor: Any = connection.connection.cursor()
    try:
        yield cursor
    except sqlite3.Error as error:
        raise sa.exc.DBAPIError.instance(statement, None, error, sqlite3.Error) from error
    finally:
        cursor.close()


def _execute(connection: sa.Connection, statement: str, rows: Values) -> None:
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        each(connection, statement, rows)
    else:
        connection.exec_driver_sql(statement, tuple(list(column) for column in zip(*rows, strict=True)))


@cache
def _insert(dialect: str, table: sa.Table, names: tuple[str, ...], rows: int = 1) -> str:
    head = f"INSERT INTO {table.name} ({', '.join(names)})"
    if dialect == "sqlite":
        row = f"({', '.join('?' * len(names))})"
        return f"{head} VALUES {', '.join([row] * rows)}"
    return f"{head} SELECT {_cast(table, names)} FROM {_arrays(table, names)}"


@cache
def _update(dialect: str, table: sa.Table, names: tuple[str, ...]) -> str:
    if dialect == "sqlite":
        return f"UPDATE {table.name} SET {', '.join(f'{name} = ?' for name in names)} WHERE num = ?"
    new = f"(SELECT new.num, {_cast(table, names)} FROM {_arrays(table, (*names, 'num'))}) AS new"
    sets = ", ".join(f"{name} = new.{name}" for name in names)
    return f"UPDATE {table.name} SET {sets} FROM {new} WHERE {table.name}.num = new.num"


@cache
def _select(dialect: str, table: sa.Table, names: tuple[str, ...]) -> str:
    columns = ", ".join(f"{table.name}.{name}" for name in names)
    if dialect == "sqlite":
        # A plain IN would look the ids up in their alphabetic order, from page to page of the table.
        asked = f"json_each(?) AS asked CROSS JOIN {table.name} ON {table.name}.id = asked.value"
        return f"SELECT {columns} FROM {asked}"
    return f"SELECT {columns} FROM {table.name} WHERE id = ANY(?::varchar[])"


@cache
def _json_names(table: sa.Table, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if isinstance(table.c[name].type, sa.JSON))


def _arrays(table: sa.Table, names: tuple[str, ...]) -> str:
    """PostgreSQL takes one array for each column, and makes rows of them."""
    columns = ", ".join(f"%s::{_type(table, name)}[]" for name in names)
    return f"unnest({columns}) AS new({', '.join(names)})"


def _cast(table: sa.Table, names: tuple[str, ...]) -> str:
    json_names = _json_names(table, names)
    return ", ".join(f"new.{name}::json AS {name}" if name in json_names else f"new.{name}" for name in names)


def _type(table: sa.Table, name: str) -> str:
    kind = table.c[name].type
    return "text" if isinstance(kind, sa.JSON) else kind.compile(_POSTGRESQL)
