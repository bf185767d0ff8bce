"""Reading the store: one task, pages of them, counts, and what has changed."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from lab.status import TaskStatus
from store.engine import create_engine, writing
from store.tables import counters, task_counts, task_events, tasks

Row = dict[str, Any]
LISTED_CHARS: Final = 500
_CHUNK = 500


class octet_length(GenericFunction[int]):  # noqa: N801 - named as in SQL
    """The bytes of a text: older SQLites do not have it."""

    type = sa.Integer()
    inherit_cache = True


@compiles(octet_length, "sqlite")
def _octet_length(element: octet_length, compiler: Any, **how: Any) -> str:
    return f"length(CAST({compiler.process(element.clauses, **how)} AS BLOB))"


def briefly(table: sa.Table, most: int = LISTED_CHARS) -> list[sa.ColumnElement[Any]]:
    """The columns of `table`, without results whose JSON is longer than `most` characters: `result` is None there,
    `result_preview` the first `most` characters of the JSON, and `result_bytes` its size."""
    if "result" not in table.c:
        return list(table.c)
    text = sa.cast(table.c.result, sa.Text)
    long = sa.func.length(text) > most
    return [
        *(column for column in table.c if column.name != "result"),
        sa.case((~long, table.c.result)).label("result"),
        sa.case((long, sa.func.substr(text, 1, most))).label("result_preview"),
        sa.case((long, octet_length(text))).label("result_bytes"),
    ]


@dataclass(frozen=True)
class Query:
    """Which tasks a page shows: all that fit every field that is set; without an `experiment`, only tasks
    that are of none."""

    method: str | None = None
    status: TaskStatus | None = None
    text: str = ""
    before_num: int | None = None
    limit: int = 25
    experiment: str | None = None


class Queries:
    """Reads the database at `url`. May be shared by threads; processes have one each."""

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url)

    def close(self) -> None:
        """Ends all connections."""
        self.engine.dispose()

    def ping(self) -> None:
        """Returns when the store answers and lets somebody write, which changes nothing.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: it does not.
        """
        with writing(self.engine) as connection:
            connection.execute(sa.select(counters.c.value).limit(1))

    def get(self, task_id: str, most: int | None = None) -> Row | None:
        """The task with this id, or None; with `most` as `briefly` has it, without it with its whole result."""
        if "\x00" in task_id:
            return None
        columns = tasks.c if most is None else briefly(tasks, most)
        with self.engine.connect() as connection:
            row = connection.execute(sa.select(*columns).where(tasks.c.id == task_id)).mappings().first()
        return None if row is None else dict(row)

    def get_all(self, task_ids: Sequence[str]) -> list[Row]:
        """The tasks with these ids that there are, oldest first."""
        rows: list[Row] = []
        with self.engine.connect() as connection:
            for start in range(0, len(task_ids), _CHUNK):
                query = sa.select(tasks).where(tasks.c.id.in_(task_ids[start : start + _CHUNK]))
                rows += [dict(row) for row in connection.execute(query).mappings()]
        return sorted(rows, key=lambda row: row["num"])

    def history(self, num: int) -> list[Row]:
        """All status changes of the task with number `num`, in the order they were taken."""
        query = sa.select(task_events).where(task_events.c.num == num).order_by(task_events.c.id)
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def page(self, query: Query) -> list[Row]:
        """The newest tasks that `query` fits, at most `query.limit`, as `briefly` has them."""
        fits = self.conditions(query)
        with self.engine.connect() as connection:
            methods = [query.method] if query.method else self._methods(connection, query)
            rows: list[Row] = []
            for method in methods:
                select = (
                    sa.select(*briefly(tasks)).where(*fits).order_by(tasks.c.num.desc()).limit(query.limit)
                )
                if method:
                    select = select.where(tasks.c.method == method)
                rows += [dict(row) for row in connection.execute(select).mappings()]
        return sorted(rows, key=itemgetter("num"), reverse=True)[: query.limit]

    def conditions(self, query: Query) -> list[sa.ColumnElement[bool]]:
        """What a task must fulfil for `query` to fit it, apart from its method."""
        fits = [_of(query.experiment)]
        if query.status:
            fits.append(tasks.c.status == query.status.value)
        if query.before_num is not None:
            fits.append(tasks.c.num < query.before_num)
        if query.text:
            fits.append(self._matches(query.text))
        return fits

    def _methods(self, connection: sa.Connection, query: Query) -> list[str | None]:
        """The methods to ask for one by one, where no index has a status of all methods in order."""
        if query.status is None or query.experiment:
            return [None]
        here = task_counts.c.status == query.status.value
        return list(connection.scalars(sa.select(task_counts.c.method).where(here, task_counts.c.n > 0)))

    def counts(self, method: str | None = None, experiment: str | None = None) -> dict[str, int]:
        """How many tasks stand at each status, of one method or of all; those of one `experiment`, or those
        that are of none."""
        if experiment is None:
            table, query = task_counts, sa.select(task_counts.c.status, sa.func.sum(task_counts.c.n))
        else:
            table, query = tasks, sa.select(tasks.c.status, sa.func.count()).where(_of(experiment))
        query = query.group_by(table.c.status)
        if method:
            query = query.where(table.c.method == method)
        with self.engine.connect() as connection:
            found = {status: int(n) for status, n in connection.execute(query)}
        return {status.value: found.get(status.value, 0) for status in TaskStatus}

    def counts_by_method(self) -> dict[tuple[str, str], int]:
        """How many tasks there are of each method and status that occurs, without those of experiments."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(task_counts.c.method, task_counts.c.status, task_counts.c.n))
            return {(row.method, row.status): row.n for row in rows}

    def last_change(self) -> int:
        """Number of the newest change; every change of any task has a greater one than those before."""
        with self.engine.connect() as connection:
            query = sa.select(counters.c.value).where(counters.c.name == "change")
            return int(connection.execute(query).scalar_one())

    def changed_since(self, change_id: int, limit: int) -> list[Row]:
        """Tasks changed after `change_id`, as they stand now, oldest change first, without those of
        experiments, as `briefly` has them."""
        query = (
            sa.select(*briefly(tasks))
            .where(_of(None), tasks.c.change_id > change_id)
            .order_by(tasks.c.change_id)
            .limit(limit)
        )
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def unfinished(self, method: str, before_us: int) -> list[tuple[str, int]]:
        """Id and attempt of tasks of `method` and of no experiment that were created before then and have not ended;
        at most _CHUNK of them."""
        query = (
            sa.select(tasks.c.id, tasks.c.attempt)
            .where(tasks.c.method == method, _of(None), tasks.c.created_us < before_us)
            .where(tasks.c.status.in_([status.value for status in TaskStatus if not status.final]))
        )
        with self.engine.connect() as connection:
            return [(row.id, row.attempt) for row in connection.execute(query.limit(_CHUNK))]

    def _matches(self, text: str) -> sa.ColumnElement[bool]:
        by_id: sa.ColumnElement[bool]
        if self.engine.dialect.name == "sqlite":
            by_id = sa.and_(tasks.c.id >= text.lower(), tasks.c.id < text.lower() + "\x7f")
        else:
            by_id = tasks.c.id.startswith(text.lower(), autoescape=True)
        if text.isascii() and text.isdigit() and len(text) < 19:
            return sa.or_(tasks.c.num == int(text), by_id)
        return by_id


class TaskSets:
    """Reads `table`, of groups or workflows, and the tasks that are theirs by `column`. May be shared by
    threads."""

    def __init__(self, engine: sa.Engine, table: sa.Table, column: sa.Column[Any]) -> None:
        self._engine = engine
        self._table = table
        self._column = column

    def get(self, set_id: str) -> Row | None:
        """The one with this id, or None."""
        if "\x00" in set_id:
            return None
        found = self._read(sa.select(self._table).where(self._table.c.id == set_id))
        return found[0] if found else None

    def recent(self, limit: int) -> list[Row]:
        """The newest ones, as `briefly` has them."""
        return self._read(
            sa.select(*briefly(self._table)).order_by(self._table.c.created_us.desc()).limit(limit)
        )

    def tasks(self, set_id: str) -> list[Row]:
        """Its tasks, in the order of their numbers, as `briefly` has them."""
        return self._read(sa.select(*briefly(tasks)).where(self._column == set_id).order_by(tasks.c.num))

    def counts(self, set_ids: Sequence[str]) -> dict[str, dict[str, int]]:
        """How many tasks of each stand at each status."""
        found = {one: count_statuses(()) for one in set_ids}
        query = sa.select(self._column, tasks.c.status, sa.func.count()).where(self._column.in_(set_ids))
        with self._engine.connect() as connection:
            for one, status, n in connection.execute(query.group_by(self._column, tasks.c.status)):
                found[one][status] = n
        return found

    def _read(self, query: sa.Select[Any]) -> list[Row]:
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def count_statuses(statuses: Iterable[str]) -> dict[str, int]:
    """How many of `statuses` there are of each one, in the order of TaskStatus; 0 where there are none."""
    return {**dict.fromkeys(TaskStatus.__members__, 0), **Counter(statuses)}


def _of(experiment: str | None) -> sa.ColumnElement[bool]:
    column = tasks.c.experiment_id
    return column.is_(None) if experiment is None else column == experiment
