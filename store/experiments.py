"""Experiments in the store: taking them, whose turn it is, what they found, and how they end."""

import uuid
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa

from experiments.marks import marks_of
from experiments.model import ArmTurn, Comparison, FairnessRow, Mark, Total
from experiments.plan import Plan
from experiments.totals import comparisons_of, totals_of
from lab.clock import now_us
from store import fast_sql
from store.engine import take_turn, writing
from store.experiment_queries import OPEN, ExperimentQueries
from store.tables import counters, experiment_runs, experiments, outbox, tasks
from store.tasks import KeyReused

LEASE_US: Final = 20_000_000
REST_US: Final = 15_000_000
INTERRUPTED: Final = "interrupted: the process that ran it has ended; what it had found until then is kept"


class ExperimentRows(ExperimentQueries):
    """The tables of experiments. May be shared by threads."""

    def add(self, plan: Plan, key: str | None = None) -> str:
        """Stores `plan` as PENDING and returns the experiment's id; that of the first one, where the same
        plan came under the same `key` before.

        Raises:
            KeyReused: `key` came before with another plan.
        """
        values = {
            "id": str(uuid.uuid4()),
            "key": key,
            "plan": plan.model_dump(mode="json"),
            "status": "PENDING",
            "progress": 0.0,
            "step": "",
            "created_us": now_us(),
            "lease_until_us": 0,
        }
        with writing(self.engine) as connection:
            _lock(connection)
            if key is not None:
                query = sa.select(experiments.c.id, experiments.c.plan).where(experiments.c.key == key)
                known = connection.execute(query).first()
                if known is not None:
                    if Plan.model_validate(known.plan).as_asked != plan.as_asked:
                        raise KeyReused(key)
                    return str(known.id)
            connection.execute(experiments.insert().values(values))
        return str(values["id"])

    def claim(self) -> str | None:
        """Begins the oldest experiment that waits, and returns its id; None where there is none, or another one is
        running. Its lease is three times as long as a renewed one: on a busy machine a process starts slowly."""
        now = now_us()
        busy = sa.or_(experiments.c.status == "IN_PROGRESS", experiments.c.lease_until_us > 0)
        with writing(self.engine) as connection:
            _lock(connection)
            if connection.execute(sa.select(experiments.c.num).where(busy).limit(1)).first():
                return None
            query = sa.select(experiments.c.num, experiments.c.id).where(experiments.c.status == "PENDING")
            first = connection.execute(query.order_by(experiments.c.num).limit(1)).first()
            if first is None:
                return None
            connection.execute(
                experiments.update()
                .where(experiments.c.num == first.num)
                .values(status="IN_PROGRESS", started_us=now, lease_until_us=now + 3 * LEASE_US)
            )
        return str(first.id)

    def renew(self, experiment_id: str) -> tuple[bool, bool]:
        """Renews the lease of an experiment until it is given back, for anyone who cleans up after it as well;
        returns whether it is under way, and whether it is to be cancelled."""
        this = experiments.c.id == experiment_id
        query = (
            experiments.update()
            .where(this, experiments.c.lease_until_us > 0)
            .values(lease_until_us=now_us() + LEASE_US)
        )
        with writing(self.engine) as connection:
            connection.execute(query)
            status, asked = connection.execute(
                sa.select(experiments.c.status, experiments.c.cancel_us).where(this)
            ).one()
        return status == "IN_PROGRESS", asked is not None

    def hold_back(self, experiment_id: str) -> None:
        """Lets no other experiment begin for 15 seconds: the process of this one, whose lease has run out, may
        have only been held up, and needs a moment to hear that it is over."""
        self._change(experiment_id, lease_until_us=now_us() + REST_US)

    def free_messages(self, experiment_id: str) -> None:
        """Lets any relay have what its process has left in the outbox."""
        mine = sa.select(tasks.c.num).where(tasks.c.experiment_id == experiment_id)
        with writing(self.engine) as connection:
            _lock(connection)
            connection.execute(
                outbox.update().where(outbox.c.num.in_(mine)).values(lease_until_us=0, lease_owner=None)
            )

    def release(self, experiment_id: str, *, late: bool = False) -> None:
        """Gives the lease back, for the next experiment to begin; where `late`, only one that has run out."""
        query = experiments.update().where(experiments.c.id == experiment_id)
        if late:
            query = query.where(experiments.c.lease_until_us < now_us())
        with writing(self.engine) as connection:
            connection.execute(query.values(lease_until_us=0))

    def tell(self, experiment_id: str, progress: float, step: str, race: Mapping[str, Any]) -> None:
        """Notes how far it has come; `race` holds a curve for each arm by its key."""
        self._change(experiment_id, progress=progress, step=step, race=dict(race))

    def keep_setting(
        self, experiment_id: str, fairness: Sequence[FairnessRow], environment: Mapping[str, str]
    ) -> None:
        """Keeps what it is run on."""
        rows = [row.model_dump(mode="json") for row in fairness]
        self._change(experiment_id, setting={"fairness": rows, "environment": dict(environment)})

    def keep_plan(self, experiment_id: str, plan: Plan) -> None:
        """Keeps the plan with what was measured for it."""
        self._change(experiment_id, plan=plan.model_dump(mode="json"))

    def note_published(self, times: Mapping[int, int]) -> None:
        """Notes when the messages of tasks were written to the broker (microseconds since the epoch), by number."""
        with writing(self.engine) as connection:
            take_turn(connection)
            fast_sql.update(connection, tasks, ("published_us",), [(at, num) for num, at in times.items()])

    def keep_run(self, experiment_id: str, run: ArmTurn, samples: bytes) -> None:
        """Keeps a repetition that has ended, with its packed samples."""
        values = {
            "num": sa.select(experiments.c.num).where(experiments.c.id == experiment_id).scalar_subquery(),
            "turn": run.turn,
            "arm": run.arm,
            "begun_us": run.begun_us,
            "figures": run.figures.model_dump(mode="json"),
            "samples": samples,
        }
        with writing(self.engine) as connection:
            connection.execute(experiment_runs.insert().values(values))

    def finish(
        self,
        experiment_id: str,
        status: str,
        error: str | None,
        totals: Sequence[Total],
        comparisons: Sequence[Comparison],
        marks: Mapping[str, Sequence[Mark]] = MappingProxyType({}),
    ) -> bool:
        """Ends an experiment that is under way; False where it has ended already."""
        outcome = {
            "totals": [total.model_dump(mode="json") for total in totals],
            "comparisons": [comparison.model_dump(mode="json") for comparison in comparisons],
            "marks": {
                kind: [mark.model_dump(mode="json") for mark in found] for kind, found in marks.items()
            },
        }
        values = {"status": status, "error": error, "outcome": outcome, "finished_us": now_us(), "step": ""}
        return self._change(
            experiment_id, **values, race=None, **({"progress": 1.0} if status == "DONE" else {})
        )

    def request_cancel(self, experiment_id: str) -> bool:
        """Has it cancelled: at once where its turn has not come. False where it has ended, or is not there."""
        now = now_us()
        this = experiments.c.id == experiment_id
        with writing(self.engine) as connection:
            _lock(connection)
            status = connection.execute(sa.select(experiments.c.status).where(this)).scalar()
            if status not in OPEN:
                return False
            ended = {"status": "CANCELLED", "finished_us": now} if status == "PENDING" else {}
            asked = sa.func.coalesce(experiments.c.cancel_us, now)
            connection.execute(experiments.update().where(this).values(cancel_us=asked, **ended))
        return True

    def _change(self, experiment_id: str, **values: Any) -> bool:
        under_way = sa.and_(experiments.c.id == experiment_id, experiments.c.status == "IN_PROGRESS")
        with writing(self.engine) as connection:
            return connection.execute(experiments.update().where(under_way).values(values)).rowcount == 1


def _lock(connection: sa.Connection) -> None:
    """As all writers of tasks do: the counter's row comes first, and lets one in at a time."""
    connection.execute(counters.update().where(counters.c.name == "change").values(value=counters.c.value))


def conclude(rows: ExperimentRows, experiment_id: str, status: str, error: str | None = None) -> bool:
    """Ends an experiment that is under way, with the totals of the repetitions that it has kept; False where
    it has ended already."""
    try:
        found = rows.get(experiment_id, runs=False)
    except (ValueError, TypeError) as problem:
        return rows.finish(experiment_id, "FAILED", f"its row cannot be read: {problem}", (), ())
    if found is None or found.status != "IN_PROGRESS" or (found := rows.get(experiment_id)) is None:
        return False
    totals, comparisons = totals_of(found.plan, found.runs), comparisons_of(found.plan, found.runs)
    marks = marks_of(found.plan, found.runs)
    return rows.finish(experiment_id, status, error, totals, comparisons, marks)
