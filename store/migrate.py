"""Brings the store's tables up to date: `python -m store.migrate`."""

import sys
import time
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from lab.settings import Settings, SettingsError
from store.engine import create_engine, writing

WAIT_SECONDS = 30.0


def migrate(engine: sa.Engine, revision: str = "head") -> None:
    """Runs all migrations up to `revision` that `engine`'s database has not seen yet; safe when several start at once.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be reached or changed.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    # In turn from the connection on: SQLite does not wait for who is giving a new file its WAL.
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(20070001)"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def main() -> int:
    """Migrates the store of the settings; waits up to 30 seconds for a database that is starting."""
    try:
        url = Settings.from_env().private().database_url
        engine = create_engine(url)
    except (SettingsError, sa.exc.ArgumentError) as error:
        print(f"store.migrate: {error}", file=sys.stderr)
        return 1
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            migrate(engine)
            return 0
        except sa.exc.OperationalError as error:
            if time.monotonic() > deadline:
                place = engine.url.render_as_string(hide_password=True)
                print(f"store.migrate: the store at {place} does not answer: {error.orig}", file=sys.stderr)
                return 1
            time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
