from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from store.engine import create_engine
from store.migrate import main, migrate
from store.tables import metadata
from store.tasks import NewTask, Store


def test_the_migrations_make_the_tables_that_the_code_uses(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_migrations_make_the_indexes_of_the_same_rows(tmp_path: Path) -> None:
    def indexes(engine: sa.Engine) -> dict[str, str]:
        query = "SELECT name, replace(sql, '\"', '') AS sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        with engine.connect() as connection:
            return {row.name: row.sql for row in connection.exec_driver_sql(query)}

    migrated, made = (create_engine(f"sqlite:///{tmp_path}/{name}.sqlite3") for name in ("migrated", "made"))
    migrate(migrated)
    metadata.create_all(made)
    assert indexes(migrated) == indexes(made)
    for engine in (migrated, made):
        engine.dispose()


def test_migrating_again_keeps_everything(database_url: str) -> None:
    store = Store(database_url)
    store.add(NewTask("celery", "process_task", {"timeout": 1.0}, 1.0))
    migrate(store.engine)
    assert store.counts()["PENDING"] == 1
    store.close()


def test_results_that_are_kept_already_stay_what_they_are(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/old.sqlite3")
    migrate(store.engine, "0007")
    results = {"a text": '"7"', "a list": "[1, 2]", "whole": "7", "broken": "7.5", "none": None}
    with store.engine.begin() as connection:
        for num, (name, result) in enumerate(results.items()):
            connection.execute(
                sa.text(
                    "INSERT INTO tasks (num, id, method, kind, params, status, attempt, progress, result, created_us,"
                    " change_id, delivery) VALUES (:num, :id, 'sync', 'add', '{}', 'DONE', 1, 1, :result, 1, 1, 'safe')"
                ),
                {"num": num, "id": name, "result": result},
            )
            connection.execute(
                sa.text(
                    "INSERT INTO task_events (num, status, attempt, at_us, recorded_us) VALUES (:num, 'DONE', 1, 1, 1)"
                ),
                {"num": num},
            )
    migrate(store.engine)
    rows = store.get_all(list(results))
    assert {row["id"]: row["result"] for row in rows} == {
        "a text": "7", "a list": [1, 2], "whole": 7, "broken": 7.5, "none": None,
    }  # fmt: skip
    with store.engine.begin() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM task_events")) == len(results)
    store.close()


def test_several_may_migrate_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.sqlite3"

    def one(_: int) -> None:
        engine = create_engine(url)
        migrate(engine)
        engine.dispose()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(4)))
    engine = create_engine(url)
    assert "tasks" in sa.inspect(engine).get_table_names()
    engine.dispose()


def test_a_store_that_cannot_be_reached_is_said_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("store.migrate.WAIT_SECONDS", 0.0)
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg://lab:secret@127.0.0.1:1/lab")
    assert main() == 1
    said = capsys.readouterr().err
    assert "does not answer" in said
    assert "secret" not in said
