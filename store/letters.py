"""Dead letters in the store: kept until somebody sends them again or discards them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from lab.clock import now_us
from lab.jobs.kinds import CELERYS, KINDS
from lab.status import StatusUpdate, TaskStatus
from store.engine import writing
from store.followers import DEAD_LETTER
from store.tables import dead_letters
from store.task_queries import Row
from store.tasks import Store

CLAIM_US: Final = 60_000_000
MOST_SHOWN: Final = 200


@dataclass(frozen=True)
class Letter:
    """A message that its queue gave up: `queue` is where it died, `reason` why (`rejected`,
    `delivery_limit`, `expired`), `task_id` what it names itself, if anything."""

    queue: str
    reason: str
    task_id: str | None
    body: bytes
    properties: dict[str, Any]


def unknown_task(reason: str, properties: Any) -> str | None:
    """The name of the Celery task that a message was rejected for, since no worker has it; else None."""
    headers = properties.get("headers") if isinstance(properties, Mapping) else None
    name = headers.get("task") if isinstance(headers, Mapping) else None
    if reason != "rejected" or not isinstance(name, str) or name in KINDS.keys() | CELERYS:
        return None
    return None if name.startswith("celery.") else name[:MOST_SHOWN]


class DeadLetters:
    """The dead letters of `store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, letter: Letter) -> None:
        """Records `letter`; a task of its name that has not ended is FAILED with its reason. The message of
        a task that expired is no letter: it ends the task CANCELLED."""
        row = self._store.get(letter.task_id) if letter.task_id else None
        if row is not None and letter.reason == "expired":
            attempt = max(1, row["attempt"])
            expired = StatusUpdate(
                task_id=row["id"], status=TaskStatus.CANCELLED, attempt=attempt, error="expired"
            )
            self._store.apply([expired])
            return
        with writing(self._store.engine) as connection:
            connection.execute(
                dead_letters.insert().values(
                    queue=letter.queue,
                    reason=letter.reason,
                    task_id=letter.task_id,
                    task_known=row is not None,
                    body=letter.body,
                    properties=letter.properties,
                    at_us=now_us(),
                )
            )
        if row is not None:
            unknown = unknown_task(letter.reason, letter.properties)
            why = {
                "delivery_limit": "its message came back too often: the job may kill its worker, or the API "
                "refuses what its worker reports",
                "rejected": f"no task of the name {unknown}" if unknown else "its message could not be read",
            }.get(letter.reason, f"its message died: {letter.reason}")
            self._store.fail({row["id"]: row["attempt"]}, DEAD_LETTER + why)

    def page(self, limit: int, before: int | None = None) -> list[Row]:
        """The newest letters, at most `limit`, older than the letter `before`."""
        query = sa.select(dead_letters).order_by(dead_letters.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(dead_letters.c.id < before)
        with self._store.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def count(self) -> int:
        """How many there are."""
        with self._store.engine.connect() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(dead_letters)).scalar_one())

    def get(self, letter_id: int) -> Row | None:
        """One letter, or None."""
        query = sa.select(dead_letters).where(dead_letters.c.id == letter_id)
        with self._store.engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else dict(row)

    def claim(self, letter_id: int) -> bool:
        """Takes one letter for 60 seconds, for it to be sent again and then discarded or given back; False where
        there is none, or somebody else has it."""
        return self._change(letter_id, dead_letters.update().values(claimed_us=now_us() + CLAIM_US))

    def give_back(self, letter_id: int) -> None:
        """Ends a claim: the letter stays."""
        with writing(self._store.engine) as connection:
            connection.execute(
                dead_letters.update().where(dead_letters.c.id == letter_id).values(claimed_us=0)
            )

    def discard(self, letter_id: int, *, claimed: bool = False) -> bool:
        """Forgets one letter; False if there is none, or somebody else is about to send it again. `claimed`
        says that the caller is the one."""
        return self._change(letter_id, dead_letters.delete(), claimed=claimed)

    def _change(self, letter_id: int, change: sa.Update | sa.Delete, *, claimed: bool = False) -> bool:
        change = change.where(dead_letters.c.id == letter_id)
        if not claimed:
            change = change.where(dead_letters.c.claimed_us < now_us())
        with writing(self._store.engine) as connection:
            return connection.execute(change).rowcount == 1
