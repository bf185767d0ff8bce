from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from store import fast_sql
from store.engine import create_engine, writing
from store.tables import task_counts, tasks
from store.tasks import NewTask, Store

NAMES = ("num", "id", "status", "params", "worker")


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    made = create_engine(database_url)
    yield made
    made.dispose()


def test_rows_are_inserted_with_every_kind_of_value(engine: sa.Engine) -> None:
    rows = [("celery", "DONE", 2**40), ("it's; --", "ж", 0)]
    with writing(engine) as connection:
        fast_sql.insert(connection, task_counts, ("method", "status", "n"), rows)
        fast_sql.insert(connection, task_counts, ("method", "status", "n"), [])
        assert sorted(map(tuple, connection.execute(sa.select(task_counts)))) == sorted(rows)


def test_only_the_rows_and_columns_that_are_named_change(engine: sa.Engine, database_url: str) -> None:
    store = Store(database_url)
    first, second = store.add(NewTask("celery", "process_task", {"timeout": 1.0}, 1.0), 2).rows
    store.close()
    with writing(engine) as connection:
        params = fast_sql.json_text({"a": ["ж", None]})
        fast_sql.update(
            connection, tasks, ("status", "params", "worker"), [("DONE", params, None, first["num"])]
        )
        found = fast_sql.select(connection, tasks, NAMES, [first["id"], "nobody", second["id"]])
    assert {row["id"]: row for row in found} == {
        first["id"]: {
            "num": 1,
            "id": first["id"],
            "status": "DONE",
            "params": {"a": ["ж", None]},
            "worker": None,
        },
        second["id"]: {name: second[name] for name in NAMES},
    }


@pytest.mark.parametrize("count", [1, fast_sql.TOGETHER - 1, fast_sql.TOGETHER, 2 * fast_sql.TOGETHER + 3])
def test_every_row_is_inserted_however_many_there_are(engine: sa.Engine, count: int) -> None:
    rows = [("celery", f"S{n}", n) for n in range(count)]
    with writing(engine) as connection:
        fast_sql.insert(connection, task_counts, ("method", "status", "n"), rows)
        assert sorted(map(tuple, connection.execute(sa.select(task_counts)))) == sorted(rows)


def test_a_statement_runs_with_its_values_and_gives_its_rows(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        fast_sql.each(
            connection,
            "INSERT INTO task_counts (method, status, n) VALUES (?, ?, ?)",
            [("celery", "DONE", 1), ("celery", "FAILED", 2)],
        )
        asked = "SELECT n FROM task_counts WHERE method = ? AND n > ?"
        assert fast_sql.fetch(connection, asked, ("celery", 1)) == [(2,)]


@pytest.mark.parametrize("way", ["fetch", "each"])
def test_what_the_database_refuses_is_sqlalchemys_error_and_leaves_nothing(
    engine: sa.Engine, way: str
) -> None:
    insert = "INSERT INTO task_counts (method, status, n) VALUES (?, ?, ?)"

    def insert_twice() -> None:
        with writing(engine) as connection:
            for n in (1, 2):
                row = ("celery", "DONE", n)
                if way == "fetch":
                    fast_sql.fetch(connection, f"{insert} RETURNING n", row)
                else:
                    fast_sql.each(connection, insert, [row])

    with pytest.raises(sa.exc.IntegrityError):
        insert_twice()
    with engine.connect() as connection:
        assert connection.execute(sa.select(task_counts)).all() == []


def test_a_number_that_json_does_not_have_becomes_null() -> None:
    text = fast_sql.json_text({"sum": float("inf"), "items": [1.5, float("nan"), "ä"]})
    assert text == '{"sum":null,"items":[1.5,null,"ä"]}'
    assert fast_sql.json_text(None) is None
