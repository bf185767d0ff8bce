"""Runs of the fault lab in the store: taking them, whose turn it is, what the engine tells, and how they end."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from lab.clock import now_us
from store.engine import take_turn, writing
from store.tables import fault_runs
from store.task_queries import Row
from store.tasks import KeyReused

LEASE_US: Final = 10_000_000
INTERRUPTED: Final = "interrupted: the process that ran it has ended"
OPEN: Final = ("PENDING", "IN_PROGRESS")

_BULKY: Final = ("marks", "depth")
_UNTOLD: Final = ("key", "lease_until_us")
_WHOLE: Final = [column for column in fault_runs.c if column.name not in _UNTOLD]
_LISTED: Final = [column for column in _WHOLE if column.name != "document"]


class FaultRuns:
    """The table of fault runs. May be shared by threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, plans: Sequence[Mapping[str, Any]], key: str | None = None) -> list[str]:
        """Stores `plans` as PENDING, and returns their ids; those of the first ones, where the same plans came
        under the same `key` before.

        Raises:
            KeyReused: `key` came before with other plans.
        """
        with writing(self._engine) as connection:
            take_turn(connection)
            if key is not None and (known := _under(connection, key)):
                if [row.plan for row in known] != list(plans):
                    raise KeyReused(key)
                return [row.id for row in known]
            rows = [
                {
                    "id": str(uuid.uuid4()),
                    "key": f"{key}#{place}" if key is not None else None,
                    "card": plan["card"],
                    "plan": dict(plan),
                    "status": "PENDING",
                    "created_us": now_us(),
                    "lease_until_us": 0,
                }
                for place, plan in enumerate(plans)
            ]
            if rows:
                connection.execute(fault_runs.insert(), rows)
        return [str(row["id"]) for row in rows]

    def claim(self) -> Row | None:
        """Begins the oldest run that waits, under a lease; None where there is none, or another one is running."""
        waiting = sa.select(fault_runs.c.num).where(fault_runs.c.status == "PENDING").limit(1)
        with self._engine.connect() as connection:  # a lab at rest asks for it all the time
            if connection.execute(waiting).first() is None:
                return None
        now = now_us()
        with writing(self._engine) as connection:
            take_turn(connection)
            busy = sa.select(fault_runs.c.num).where(fault_runs.c.status == "IN_PROGRESS").limit(1)
            if connection.execute(busy).first():
                return None
            query = sa.select(*_LISTED).where(fault_runs.c.status == "PENDING")
            first = connection.execute(query.order_by(fault_runs.c.num).limit(1)).mappings().first()
            if first is None:
                return None
            connection.execute(
                fault_runs.update()
                .where(fault_runs.c.num == first["num"])
                .values(status="IN_PROGRESS", started_us=now, lease_until_us=now + LEASE_US)
            )
        return dict(first)

    def renew(self, run_id: str) -> bool:
        """Renews the lease of a run; False where it is not under way any more."""
        return self._change(run_id, lease_until_us=now_us() + LEASE_US)

    def cancelled(self, run_id: str) -> bool:
        """Whether someone has asked for its cancellation."""
        query = sa.select(fault_runs.c.cancel_us).where(fault_runs.c.id == run_id)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar() is not None

    def tell(self, run_id: str, document: Mapping[str, Any]) -> None:
        """Keeps what the engine tells of a run that is under way."""
        self._change(run_id, **_told(document))

    def finish(self, run_id: str, status: str, error: str | None, document: Mapping[str, Any] | None) -> bool:
        """Ends a run that is under way, with the last that the engine told; False where it has ended already."""
        told = _told(document) if document else {}
        return self._change(
            run_id, status=status, error=error, finished_us=now_us(), lease_until_us=0, **told
        )

    def interrupt_overdue(self) -> None:
        """Ends what nobody runs any more: its lease has run out."""
        late = sa.and_(fault_runs.c.status == "IN_PROGRESS", fault_runs.c.lease_until_us < now_us())
        with self._engine.connect() as connection:
            if connection.execute(sa.select(fault_runs.c.num).where(late).limit(1)).first() is None:
                return
        with writing(self._engine) as connection:
            ended = {"status": "FAILED", "error": INTERRUPTED, "finished_us": now_us()}
            connection.execute(fault_runs.update().where(late).values(ended))

    def request_cancel(self, run_id: str) -> bool:
        """Has a run cancelled: at once where its turn has not come. False where it has ended, or is not there."""
        now = now_us()
        this = fault_runs.c.id == run_id
        asked = sa.func.coalesce(fault_runs.c.cancel_us, now)
        with writing(self._engine) as connection:
            take_turn(connection)
            waiting = connection.execute(
                fault_runs.update()
                .where(this, fault_runs.c.status == "PENDING")
                .values(status="CANCELLED", finished_us=now, cancel_us=asked)
            )
            if waiting.rowcount:
                return True
            running = fault_runs.update().where(this, fault_runs.c.status == "IN_PROGRESS")
            return connection.execute(running.values(cancel_us=asked)).rowcount == 1

    def get(self, run_id: str) -> Row | None:
        """The run with this id; None if there is none."""
        if "\x00" in run_id:  # PostgreSQL refuses such text
            return None
        found = self._all(sa.select(*_WHOLE).where(fault_runs.c.id == run_id))
        return found[0] if found else None

    def page(
        self, limit: int, before: int | None = None, card: str | None = None
    ) -> tuple[list[Row], int | None]:
        """The newest runs without their documents, and the number after which older ones follow."""
        query = sa.select(*_LISTED).order_by(fault_runs.c.num.desc()).limit(limit + 1)
        if before is not None:
            query = query.where(fault_runs.c.num < before)
        if card is not None:
            query = query.where(fault_runs.c.card == card)
        rows = self._all(query)
        return rows[:limit], rows[limit - 1]["num"] if len(rows) > limit else None

    def open(self) -> list[Row]:
        """What runs or waits, in the order of their turns."""
        query = sa.select(*_LISTED).where(fault_runs.c.status.in_(OPEN))
        return self._all(query.order_by(fault_runs.c.num))

    def done(self, most: int = 500) -> list[Row]:
        """The newest runs that are DONE, without their documents."""
        query = sa.select(*_LISTED).where(fault_runs.c.status == "DONE")
        return self._all(query.order_by(fault_runs.c.num.desc()).limit(most))

    def _change(self, run_id: str, **values: Any) -> bool:
        under_way = sa.and_(fault_runs.c.id == run_id, fault_runs.c.status == "IN_PROGRESS")
        with writing(self._engine) as connection:
            return connection.execute(fault_runs.update().where(under_way).values(values)).rowcount == 1

    def _all(self, query: sa.Select[Any]) -> list[Row]:
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def _under(connection: sa.Connection, key: str) -> Sequence[Any]:
    """The runs that came under this key, in their order."""
    query = sa.select(fault_runs.c.id, fault_runs.c.plan).order_by(fault_runs.c.num)
    return connection.execute(query.where(fault_runs.c.key.startswith(f"{key}#", autoescape=True))).all()


def _told(document: Mapping[str, Any]) -> dict[str, Any]:
    short = {name: value for name, value in document.items() if name not in _BULKY}
    return {"document": dict(document), "outcome": short}
