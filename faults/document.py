"""What a fault run is asked for, and the document that it writes."""

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from faults.cards import CARDS, Card
from lab.delivery import Delivery
from transports.methods import METHODS, QUEUES

SCHEMA_VERSION: Final = 1
MAX_JOBS: Final = 1_000
MAX_SECONDS: Final = 120.0

ARMS: Final = tuple(
    f"{method}:{delivery}" for method in QUEUES for delivery in (Delivery.NAIVE, Delivery.SAFE)
)
"""Every contender that has a broker, by the names of arms."""

Arm = Annotated[str, Field(pattern=rf"^({'|'.join(ARMS)})$")]
Count = Annotated[int, Field(ge=0, le=MAX_JOBS)]


def label_of_arm(arm: str) -> str:
    """What the contender of `arm` is called, in English."""
    method, _, delivery = arm.partition(":")
    return METHODS[method].contenders[Delivery(delivery)].label


class FaultStatus(StrEnum):
    """How a run stands."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Fate(StrEnum):
    """What became of a job: done once, without an end and without a message, ran to its end twice, with a worker or
    among the dead letters, not begun."""

    DONE = "done"
    LOST = "lost"
    DOUBLED = "doubled"
    HELD = "held"
    WAITING = "waiting"


class Forecast(BaseModel):
    """What somebody expected of an arm before the run."""

    model_config = ConfigDict(extra="forbid")

    lost: Count
    doubled: Count


class FaultPlan(BaseModel):
    """What is asked for. What is left out is as the card says; `strength` means what the card says."""

    model_config = ConfigDict(extra="forbid")

    card: str
    arms: Annotated[tuple[Arm, ...], Field(min_length=1, max_length=len(ARMS))] = ARMS
    jobs: Annotated[int, Field(ge=4, le=MAX_JOBS)] = 0
    seconds: Annotated[float, Field(gt=0, le=MAX_SECONDS)] = 0.0
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    strength: float = -1.0
    prediction: dict[Arm, Forecast] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _as_the_card_says(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        card = CARDS.get(str(data.get("card")))
        if card is None:
            raise ValueError(f"card: takes one of {', '.join(CARDS)}")
        given = {name: value for name, value in data.items() if value is not None}
        return {"jobs": card.jobs, "seconds": card.seconds, "strength": card.strength.default} | given

    @model_validator(mode="after")
    def _in_bounds(self) -> Self:
        bounds = self.of_card.strength
        if not bounds.least <= self.strength <= bounds.most:
            raise ValueError(f"strength: {self.card} takes {bounds.least:g} to {bounds.most:g}")
        if len(set(self.arms)) != len(self.arms):
            raise ValueError("arms: takes each contender once")
        return self

    @property
    def of_card(self) -> Card:
        """Its card."""
        return CARDS[self.card]


class ArmFigures(BaseModel):
    """An arm's counters, in the words of RabbitMQ's Jepsen suite (https://github.com/rabbitmq/jepsen).

    Attributes:
        accepted: jobs that the API answered 202 for, and other messages that the card sends.
        confirmed: those that were handed to the broker; in the safe mode it has confirmed them.
        done_once, doubled: ran to their end once, more than once.
        lost: have no end, and no message in any queue and no dead letter either.
        recovered: done once, in a run that was not the first.
        first_success_s: from the end of the fault to the next job's end.
        longest_gap_s: the longest time without a job's end, from the fault on.
        recovery_ratio: ends a second after the fault, divided by those before it.
    """

    accepted: int = 0
    confirmed: int = 0
    done_once: int = 0
    lost: int = 0
    doubled: int = 0
    recovered: int = 0
    first_success_s: float | None = None
    longest_gap_s: float | None = None
    recovery_ratio: float | None = None


Run = tuple[float, float | None, str]
"""Begin and end in seconds since the run's begin, None while there is no end; the worker."""
HistoryEntry = tuple[float, str, int, str | None]
"""Seconds since the run's begin, status, attempt, worker: what the store recorded."""


class JobMark(BaseModel):
    """A job on the time axis. `job` is the task's number, `at` the moment that its fate was seen, `where` is said of
    its message where it has not been done."""

    job: int
    status: Fate
    at: float
    runs: list[Run]
    history: list[HistoryEntry] = Field(default_factory=list)
    where: str | None = None


class Said(BaseModel):
    """A sentence of the engine's: English with places `%(name)s`, and what stands in them, so that a page can say it in
    its reader's language; `arm` is the contender that it is about, where it is about one."""

    msgid: str
    arm: str | None = None
    values: dict[str, str | float] = Field(default_factory=dict)

    def text(
        self, translate: Callable[[str], str] = str, number: Callable[[float], str] = "{:g}".format
    ) -> str:
        """The sentence, by `translate` for it and for the words in its places, and `number` for the numbers there."""
        found = {
            name: translate(value) if isinstance(value, str) else number(value)
            for name, value in self.values.items()
        }
        return translate(self.msgid) % found


class FaultDocument(BaseModel):
    """A run. Times within it are seconds since `begun_at`, when its lab was up and the load began."""

    schema_version: Literal[1] = SCHEMA_VERSION
    id: str
    card: str
    status: FaultStatus = FaultStatus.PENDING
    seed: int
    jobs: int
    seconds: float
    strength: float
    prediction: dict[str, Forecast]
    created_at: str
    begun_at: str | None = None
    ended_at: str | None = None
    phases: dict[str, tuple[float, float | None]] = Field(default_factory=dict)
    arms: dict[str, ArmFigures]
    marks: dict[str, list[JobMark]] = Field(default_factory=dict)
    depth: dict[str, list[tuple[float, int]]] = Field(default_factory=dict)
    agrees: bool | None = None
    disagreements: list[Said] = Field(default_factory=list)
    struck: list[Said] = Field(default_factory=list)
    versions: dict[str, str] = Field(default_factory=dict)
    error: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing of it will change any more."""
        return self.status not in (FaultStatus.PENDING, FaultStatus.IN_PROGRESS)

    @property
    def of_card(self) -> Card:
        """Its card."""
        return CARDS[self.card]

    def write(self, path: Path) -> None:
        """Puts it into `path`, whole or not at all."""
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(self.model_dump_json())
        draft.replace(path)


def new_document(plan: FaultPlan, run_id: str, created_at: str) -> FaultDocument:
    """The document of a run that has not begun."""
    asked = plan.model_dump(include={"card", "seed", "jobs", "seconds", "strength", "prediction"})
    arms = {arm: ArmFigures() for arm in plan.arms}
    return FaultDocument(id=run_id, created_at=created_at, arms=arms, **asked)
