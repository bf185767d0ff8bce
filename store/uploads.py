"""What the store knows of uploads; the bytes lie in files."""

from collections.abc import Sequence

import sqlalchemy as sa

from lab.clock import now_us
from store.engine import writing
from store.tables import uploads
from store.task_queries import Row


class UploadRows:
    """The table of uploads. May be shared by threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, rows: Sequence[Row]) -> None:
        """Notes uploads: `id`, `name`, `format`, `width`, `height`, `bytes` of each."""
        if rows:
            now = now_us()
            with writing(self._engine) as connection:
                connection.execute(uploads.insert(), [{**row, "created_us": now} for row in rows])

    def get(self, ids: Sequence[str]) -> dict[str, Row]:
        """The uploads with these ids that there are, by id."""
        query = sa.select(uploads).where(uploads.c.id.in_([one for one in ids if "\x00" not in one]))
        with self._engine.connect() as connection:
            return {row["id"]: dict(row) for row in connection.execute(query).mappings()}

    def touch(self, ids: Sequence[str]) -> None:
        """Starts their time again: they are about to be worked on."""
        with writing(self._engine) as connection:
            connection.execute(uploads.update().where(uploads.c.id.in_(ids)).values(created_us=now_us()))

    def remove_older(self, created_us: int) -> None:
        """Forgets uploads that were made before `created_us`."""
        with writing(self._engine) as connection:
            connection.execute(uploads.delete().where(uploads.c.created_us < created_us))
