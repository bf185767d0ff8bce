"""The page: time to its first byte with a short history and with a long one."""

from __future__ import annotations

import statistics
import time
from functools import partial
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from benchmarks.contender import Contender, Measured
from benchmarks.stand import Stand
from lab.status import StatusUpdate, TaskStatus
from store.migrate import migrate
from store.tables import counters, task_counts, task_events, tasks
from store.tasks import NewTask, Store

SHORT: Final = 1_000
LONG: Final = 1_000_000
WARM: Final = 10


def fill(url: str, count: int) -> None:
    """Puts `count` finished tasks of all methods, with their histories, into a new store at `url`; a whole
    number of thousands."""
    store = Store(url)
    migrate(store.engine)
    for method, share in (("celery", 334), ("rabbitmq", 333), ("sync", 333)):
        rows = store.add(NewTask(method, "process_task", {"timeout": 1.0}, 1.0), share).rows
        for status in (TaskStatus.IN_PROGRESS, TaskStatus.DONE):
            store.apply(
                [StatusUpdate(task_id=row["id"], status=status, worker=f"{method}@bench") for row in rows]
            )
    if count > SHORT:
        _multiply(store.engine, count // SHORT)
    store.close()


def _multiply(engine: sa.Engine, times: int) -> None:
    """Copies the thousand tasks that there are until there are `times` as many, under new numbers and ids."""
    copies = sa.select(sa.literal(1).label("k")).cte("copies", recursive=True)
    copies = copies.union_all(sa.select(copies.c.k + 1).where(copies.c.k < times - 1))
    with engine.begin() as connection:
        most = connection.execute(sa.select(sa.func.max(tasks.c.change_id))).scalar_one()
        new = {
            "num": tasks.c.num + SHORT * copies.c.k,
            "id": sa.func.printf("%08x%s", copies.c.k, sa.func.substr(tasks.c.id, 9)),
            "change_id": tasks.c.change_id + most * copies.c.k,
        }
        _copy(connection, tasks, new, copies, tasks.c.num)
        _copy(
            connection, task_events, {"num": task_events.c.num + SHORT * copies.c.k}, copies, task_events.c.id
        )
        connection.execute(task_counts.update().values(n=task_counts.c.n * times))
        for name, value in (("num", SHORT * times), ("change", most * times)):
            connection.execute(counters.update().where(counters.c.name == name).values(value=value))
    with engine.connect() as connection:
        connection.execute(sa.text("ANALYZE"))
        connection.commit()


def _copy(
    connection: sa.Connection,
    table: sa.Table,
    new: dict[str, sa.ColumnElement[object]],
    copies: sa.CTE,
    order: sa.ColumnElement[object],
) -> None:
    names = [column.name for column in table.columns if column.name in new or not column.primary_key]
    select = sa.select(*(new.get(name, table.c[name]) for name in names)).select_from(
        table.join(copies, sa.true())
    )
    connection.execute(table.insert().from_select(names, select.order_by(copies.c.k, order)))


def first_byte(count: int, stand: Stand, requests: int) -> Measured:
    """Milliseconds to the page's first byte, median, over one kept-alive connection."""
    base = _filled(stand.folder / f"page-{count}", count)
    lab = stand.lab(base)
    try:
        lab.start_api()
        times = []
        with stand.measuring(api=lab.api):
            for number in range(WARM + requests):
                begin = time.perf_counter()
                with lab.session.get(f"{lab.url}/", stream=True, timeout=60) as answer:
                    answer.raise_for_status()
                    next(answer.iter_content(1))
                    times += [(time.perf_counter() - begin) * 1e3] if number >= WARM else []
                    answer.content  # noqa: B018 - read to the end, for the connection to be used again
    finally:
        lab.stop()
    return Measured(statistics.median(times))


def _filled(base: Path, count: int) -> Path:
    """The folder of a lab with so many tasks, filled at its first use."""
    if not base.exists():
        base.mkdir(parents=True)
        fill(f"sqlite:///{base}/lab.sqlite3", count)
    return base


CONTENDERS: Final = [
    Contender("page_1k", "page, first byte, 1,000 tasks", partial(first_byte, SHORT), 80, "ms"),
    Contender("page_1m", "page, first byte, 1,000,000 tasks", partial(first_byte, LONG), 80, "ms"),
]
