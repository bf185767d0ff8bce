"""Reading the store: one task, pages of them, counts, and what has changed."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, Final, Self

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from lab.clock import now_us
from lab.status import TaskStatus
from store.engine import create_engine, writing
from store.tables import CHECKS, NO_CHECKS, counters, task_counts, task_events, tasks
from store.task_order import SORTED_BY, WINDOW, in_order

Row = dict[str, Any]
LISTED_CHARS: Final = 500
_CHUNK = 500
_WAIT_US: Final = 60_000_000  # longer than anyone waits for a turn to write
# Written out, as the indexes have it: a value that is bound would not be known to be the same.
A_CHECK: Final[sa.ColumnElement[Any]] = sa.literal_column(f"tasks.{CHECKS}")
NO_CHECK: Final[sa.ColumnElement[Any]] = sa.literal_column(f"tasks.{NO_CHECKS}")


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
    that are of none.

    Attributes:
        before_num: only tasks that come after the one with this number in the order of numbers.
        error: what the task's error contains, in capitals or not.
        since_us, until_us: sent from the one until before the other (microseconds since the epoch).
        checks: whether the schedule's checks of the lab's health are among them.
        through_num: only tasks up to this number.
        sort: a name of SORTS, with "-" before it for the greatest first; the newest first where it is empty.
        offset: how many of the sorted tasks to leave out. Orders other than the one of numbers are of the newest
            WINDOW tasks that fit.
    """

    method: str | None = None
    status: TaskStatus | None = None
    text: str = ""
    before_num: int | None = None
    limit: int = 25
    experiment: str | None = None
    kind: str | None = None
    worker: str | None = None
    error: str = ""
    since_us: int | None = None
    until_us: int | None = None
    checks: bool = True
    through_num: int | None = None
    sort: str = ""
    offset: int = 0

    @property
    def by_num(self) -> bool:
        """Whether it is sorted by numbers."""
        return self.sort.lstrip("-") in ("", "num")

    def at(self, place: int | None) -> Self:
        """The same from `place` on, which `after` gave for the page before; from the first on without one."""
        before, offset = (place, 0) if self.by_num else (None, place or 0)
        return replace(self, before_num=before, offset=offset)

    def after(self, page: Sequence[Row]) -> int:
        """Where the page after `page` begins, whose tasks are all that were shown."""
        return int(page[-1]["num"]) if self.by_num else self.offset + len(page)


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
        """The tasks that `query` fits, at most `query.limit`, as `briefly` has them, in its order. The one whose
        number is looked for comes first."""
        columns, number = briefly(tasks), _number(query.text)
        with self.engine.connect() as connection:
            fits = [*self.conditions(query), *_reach(connection, query)]
            first: list[Row] = []
            if number is not None:
                exact = sa.select(*columns).where(*fits, tasks.c.num == number)
                first = _read(
                    connection, exact.where(tasks.c.method == query.method) if query.method else exact
                )
                fits.append(tasks.c.num != number)
            if query.by_num:
                first = first if query.before_num is None else []
                return [*first, *self._found(connection, query, fits, columns, query.limit)][: query.limit]
            window = self._found(connection, query, fits, SORTED_BY, WINDOW)
            nums = [row["num"] for row in first] + in_order(window, query.sort, now_us())
            nums = nums[query.offset : query.offset + query.limit]
            found = _read(connection, sa.select(*columns).where(tasks.c.num.in_(nums)))
            return sorted(found, key=lambda row: nums.index(row["num"]))

    def matching(self, query: Query, limit: int) -> list[int]:
        """The numbers of the tasks that `query` fits, newest first, at most `limit`."""
        with self.engine.connect() as connection:
            fits = [*self.conditions(query), *_reach(connection, query)]
            newest = replace(query, sort="")
            return [row["num"] for row in self._found(connection, newest, fits, [tasks.c.num], limit)]

    def conditions(self, query: Query) -> list[sa.ColumnElement[bool]]:
        """What a task must fulfil for `query` to fit it, apart from its method."""
        fits = [_of(query.experiment)]
        if query.status:
            fits.append(tasks.c.status == query.status.value)
        if query.kind:
            fits.append(tasks.c.kind == query.kind)
        elif not query.checks:
            fits.append(NO_CHECK)
        if query.worker:
            fits.append(tasks.c.worker == query.worker)
        if query.error:
            fits += [tasks.c.error.is_not(None), tasks.c.error.icontains(query.error, autoescape=True)]
        if query.since_us is not None:
            fits.append(tasks.c.created_us >= query.since_us)
        if query.until_us is not None:
            fits.append(tasks.c.created_us < query.until_us)
        if query.through_num is not None:
            fits.append(tasks.c.num <= query.through_num)
        if query.before_num is not None:
            beyond = tasks.c.num > query.before_num if query.sort == "num" else tasks.c.num < query.before_num
            fits.append(beyond)
        if query.text:
            fits.append(self._matches(query.text))
        return fits

    def _found(
        self,
        connection: sa.Connection,
        query: Query,
        fits: Sequence[sa.ColumnElement[bool]],
        columns: Sequence[sa.ColumnElement[Any]],
        limit: int,
    ) -> list[Row]:
        """`columns` of those that fulfil `fits` and are of the query's method, in the order of their numbers."""
        up = query.sort == "num"
        rows: list[Row] = []
        for method in [query.method] if query.method else self._methods(connection, query):
            order = tasks.c.num if up else tasks.c.num.desc()
            select = sa.select(*columns).where(*fits).order_by(order).limit(limit)
            rows += _read(connection, select.where(tasks.c.method == method) if method else select)
        return sorted(rows, key=itemgetter("num"), reverse=not up)[:limit]

    def _methods(self, connection: sa.Connection, query: Query) -> list[str | None]:
        """The methods to ask for one by one, where no index has a status of all methods in order."""
        if query.status is None or query.experiment:
            return [None]
        here = task_counts.c.status == query.status.value
        return list(connection.scalars(sa.select(task_counts.c.method).where(here, task_counts.c.n > 0)))

    def counts(
        self, method: str | None = None, experiment: str | None = None, *, checks: bool = True
    ) -> dict[str, int]:
        """How many tasks stand at each status, of one method or of all; those of one `experiment`, or those
        that are of none, with or without the `checks` of the schedule."""
        if experiment is None:
            table, query = task_counts, sa.select(task_counts.c.status, sa.func.sum(task_counts.c.n))
        else:
            table, query = tasks, sa.select(tasks.c.status, sa.func.count()).where(_of(experiment))
        query = query.group_by(table.c.status)
        if method:
            query = query.where(table.c.method == method)
        with self.engine.connect() as connection:
            found = {status: int(n) for status, n in connection.execute(query)}
        without = {} if checks or experiment else self.check_counts(method)
        return {name: found.get(name, 0) - without.get(name, 0) for name in TaskStatus.__members__}

    def check_counts(self, method: str | None = None) -> dict[str, int]:
        """How many of the schedule's checks stand at each status that occurs."""
        query = sa.select(tasks.c.status, sa.func.count()).where(_of(None), A_CHECK).group_by(tasks.c.status)
        if method:
            query = query.where(tasks.c.method == method)
        with self.engine.connect() as connection:
            return {status: n for status, n in connection.execute(query)}  # noqa: C416 - rows are no pairs to mypy

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

    def last_num(self) -> int:
        """The number of the task that was stored last."""
        with self.engine.connect() as connection:
            query = sa.select(counters.c.value).where(counters.c.name == "num")
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
        number = _number(text)
        return by_id if number is None else sa.or_(tasks.c.num == number, by_id)


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


def _reach(connection: sa.Connection, query: Query) -> list[sa.ColumnElement[bool]]:
    """Between which numbers the tasks of the query's time are: numbers are given in the order of times, but for those
    who waited for their turn meanwhile. Without it a page of long ago would be looked for among all tasks."""
    reach = []
    if query.since_us is not None:
        reach.append(tasks.c.num >= _first_after(connection, query.since_us - _WAIT_US))
    if query.until_us is not None:
        reach.append(tasks.c.num <= _first_after(connection, query.until_us + _WAIT_US))
    return reach


def _first_after(connection: sa.Connection, us: int) -> int:
    """A number that no task sent before `us` has, as far as their order goes."""
    at = sa.bindparam("at", type_=sa.BigInteger)
    one = sa.select(tasks.c.num, tasks.c.created_us).where(tasks.c.num >= at).order_by(tasks.c.num).limit(1)
    low, high = 0, connection.scalar(sa.select(sa.func.max(tasks.c.num))) or 0
    while low < high:
        middle = (low + high) // 2
        found = connection.execute(one, {"at": middle}).one()
        low, high = (found.num + 1, high) if found.created_us < us else (low, middle)
    return low


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _read(connection: sa.Connection, query: sa.Select[Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(query).mappings()]
