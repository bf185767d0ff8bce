"""What the API of the fault lab takes and gives, beside the engine's document."""

from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.web.forms import parse
from faults.cards import CARDS
from faults.document import ARMS, MAX_JOBS, MAX_SECONDS, FaultDocument, FaultPlan, Forecast
from lab.delivery import Delivery
from transports.methods import BrokeredName

MAX_SEED: Final = 2**31
_CHOSEN_BY_CARD: Final = "by default as the card has it"
_JOBS: Final = f"of each arm, {_CHOSEN_BY_CARD}"
_SECONDS: Final = f"that a job takes, {_CHOSEN_BY_CARD}"


class FaultArm(BaseModel):
    """A contender: a method in a mode of delivery."""

    model_config = ConfigDict(extra="forbid")

    method: BrokeredName
    delivery: Delivery = Delivery.SAFE


class FaultRequest(BaseModel):
    """A run: a card, by each of its arms; `strength` means what the card says."""

    model_config = ConfigDict(extra="forbid")

    card: Annotated[str, Field(max_length=40, json_schema_extra={"enum": list(CARDS)})]
    arms: Annotated[
        list[FaultArm] | None, Field(min_length=1, max_length=len(ARMS), description="by default all")
    ] = None
    jobs: Annotated[
        int | None, Field(strict=True, ge=4, le=MAX_JOBS, description=f"of each arm, {_CHOSEN_BY_CARD}")
    ] = None
    seconds: Annotated[
        float | None,
        Field(
            strict=True,
            gt=0,
            le=MAX_SECONDS,
            allow_inf_nan=False,
            description=f"that a job takes, {_CHOSEN_BY_CARD}",
        ),
    ] = None
    seed: Annotated[int, Field(strict=True, ge=0, le=MAX_SEED)] = 1
    strength: Annotated[
        float | None, Field(strict=True, allow_inf_nan=False, description=_CHOSEN_BY_CARD)
    ] = None
    prediction: Annotated[dict[str, Forecast], Field(description="by arm, `method:delivery`")] = Field(
        default_factory=dict
    )

    def plan(self) -> FaultPlan:
        """What the engine is asked for.

        Raises:
            Invalid: a value is beyond what the card takes.
        """
        asked: dict[str, Any] = self.model_dump(exclude_none=True, exclude={"arms"})
        if self.arms is not None:
            asked["arms"] = [f"{arm.method}:{arm.delivery}" for arm in self.arms]
        return parse(FaultPlan, asked)


class FaultRunsOut(BaseModel):
    """Runs, newest first, without their jobs: `marks` and `depth` are empty. `next` is the cursor of the page of
    older ones."""

    runs: list[FaultDocument]
    next: str | None


class FaultCell(BaseModel):
    """What the newest run of a card by a contender found."""

    run: str
    at: AwareDatetime
    jobs: int
    lost: int
    doubled: int
    agrees: bool | None


class FaultRow(BaseModel):
    """A card: its cells by arm, null where it never ran."""

    card: str
    title: str
    cells: dict[str, FaultCell | None]


class FaultMatrix(BaseModel):
    """Faults by contenders, from runs on this machine."""

    contenders: list[str]
    cards: list[FaultRow]
    missing: Annotated[int, Field(description="cells that never ran")]
    waiting: Annotated[int, Field(description="runs that run or wait")]
    estimate_seconds: Annotated[float, Field(description="until what runs and waits has ended, about")]
