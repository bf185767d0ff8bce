"""The fault lab as the API's views have it."""

import logging
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Final

from pydantic import ValidationError

from api.faults.schemas import FaultCell, FaultMatrix, FaultRow
from faults.cards import CARDS
from faults.document import ARMS, FaultDocument, FaultPlan, new_document
from faults.matrix import SECONDS_A_CARD, matrix_of
from lab.broker.installed import installed
from lab.clock import to_iso
from store.faults import FaultRuns
from store.task_queries import Row

RECENT: Final = 20

logger = logging.getLogger(__name__)


class NoBrokerHere(Exception):
    """There is no RabbitMQ that a run could start."""


class FaultLab:
    """What the API's views do with fault runs.

    Attributes:
        rows: the runs that the store has.
        can_run: whether runs can be started here: they need a RabbitMQ that they start themselves, which the lab's
            containers have not.
    """

    def __init__(
        self, rows: FaultRuns, wake: Callable[[], object], can_run: Callable[[], bool] = installed
    ) -> None:
        self.rows = rows
        self.can_run = can_run
        self._wake = wake

    def start(self, plans: Sequence[FaultPlan], key: str | None = None) -> list[str]:
        """Takes `plans` and returns the runs' ids; they begin one after the other.

        Args:
            key: an Idempotency-Key; the same plans under the same key are taken once.

        Raises:
            NoBrokerHere: nothing can be run here.
            store.tasks.KeyReused: `key` came before with other plans.
        """
        if not self.can_run():
            raise NoBrokerHere
        taken = self.rows.add([plan.model_dump(mode="json") for plan in plans], key)
        self._wake()
        return taken

    def cancel(self, run_id: str) -> bool:
        """Has a run cancelled: at once where its turn has not come, within three seconds where it runs. False where
        it has ended, or is not there."""
        asked = self.rows.request_cancel(run_id)
        self._wake()
        return asked

    def get(self, run_id: str) -> FaultDocument | None:
        """The run as it stands; None where there is none, or it cannot be read."""
        row = self.rows.get(run_id)
        return None if row is None else document_of(row)

    def page(
        self, limit: int, before: int | None = None, card: str | None = None
    ) -> tuple[list[FaultDocument], int | None]:
        """The newest runs without their jobs, and the number after which older ones follow."""
        rows, more = self.rows.page(limit, before, card)
        return [found for row in rows if (found := document_of(row))], more

    def done(self) -> list[FaultDocument]:
        """The newest runs that are DONE, without their jobs."""
        return [found for row in self.rows.done() if (found := document_of(row))]

    def matrix(self) -> FaultMatrix:
        """Each card by each contender, as its newest run found it."""
        found, waiting = matrix_of(self.done()), self.rows.open()
        cards = [
            FaultRow(
                card=name,
                title=card.title,
                cells={arm: _cell(found[name][arm], arm) if arm in found[name] else None for arm in ARMS},
            )
            for name, card in CARDS.items()
        ]
        return FaultMatrix(
            contenders=list(ARMS),
            cards=cards,
            missing=sum(cell is None for row in cards for cell in row.cells.values()),
            waiting=len(waiting),
            estimate_seconds=len(waiting) * self.seconds_a_run(),
        )

    def seconds_a_run(self) -> float:
        """How long a run takes, from the newest that have ended."""
        took = [(row["finished_us"] - row["started_us"]) / 1e6 for row in self.rows.done(RECENT)]
        return fmean(took) if took else SECONDS_A_CARD

    def missing(self, matrix: FaultMatrix) -> list[FaultPlan]:
        """A plan for each card of `matrix` that has contenders which never ran it and do not wait to, by those."""
        waiting = {(row["card"], arm) for row in self.rows.open() for arm in row["plan"]["arms"]}
        left = {
            row.card: tuple(
                arm for arm, cell in row.cells.items() if cell is None and (row.card, arm) not in waiting
            )
            for row in matrix.cards
        }
        return [FaultPlan(card=card, arms=arms, seed=1) for card, arms in left.items() if arms]


def document_of(row: Row) -> FaultDocument | None:
    """A run as the engine told it last, with what the store knows better; None where it cannot be read."""
    try:
        plan = FaultPlan.model_validate(row["plan"])
        blank = new_document(plan, row["id"], to_iso(row["created_us"]))
        told = row.get("document") or row["outcome"] or {}
        known = {
            "id": row["id"],
            "status": row["status"],
            "prediction": plan.prediction,
            "created_at": blank.created_at,
            "ended_at": row["finished_us"] and to_iso(row["finished_us"]),
            "error": row["error"],
        }
        return FaultDocument.model_validate({**blank.model_dump(), **told, **known})
    except ValidationError as error:
        logger.warning("fault run %s cannot be read: %s", row["id"], error)
        return None


def _cell(found: FaultDocument, arm: str) -> FaultCell:
    figures = found.arms[arm]
    return FaultCell.model_validate(
        {
            "run": found.id,
            "at": found.ended_at,
            "jobs": found.jobs,
            "lost": figures.lost,
            "doubled": figures.doubled,
            "agrees": found.agrees,
        }
    )
