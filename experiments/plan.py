"""The plan of an experiment: what is run, by whom, how often. The same seed gives the same jobs."""

from enum import StrEnum
from statistics import fmean
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lab.delivery import Delivery
from transports.methods import MethodName

MAX_JOBS: Final = 100_000
DEFAULT_JOBS: Final = 500
MAX_ARMS: Final = 6
MAX_REPETITIONS: Final = 50
MAX_TASKS: Final = 2_000_000
WARM_UP_JOBS: Final = 50
MAX_VALUES: Final = 10_000
MAX_PAYLOAD: Final = 1_000_000
MAX_BYTES: Final = 500_000_000
MAX_DURATION: Final = 60.0
MAX_SECONDS: Final = 3_600
MAX_RATE: Final = 5_000
MAX_SHARE: Final = 4
UNMEASURED_RATE: Final = 25.0
"""What the rate is taken for as long as the capacity was not measured."""

MAX_SEED: Final = 2**53
MAX_DEADLINE: Final = 7_200
MAX_TITLE: Final = 120

KIND: Final = "experiment_job"
"""The kind of job (`lab.jobs.experiment`) that all tasks of experiments are."""

Seconds = Annotated[float, Field(ge=0, le=MAX_DURATION, allow_inf_nan=False)]


class Workload(StrEnum):
    """What a job of the experiment does for its duration."""

    WAIT = "wait"
    CPU = "cpu"
    IMAGE = "image"
    NOOP = "noop"
    FAILING = "failing"


class Reports(StrEnum):
    """When a job's begin and end are told to the API.

    BESIDE: they are stamped where the job runs and sent in the background; nothing waits for them.
    IN_PATH: as of jobs sent from the page: asked before the job begins, told before its message is acknowledged.
    """

    BESIDE = "beside"
    IN_PATH = "in_path"


class _PlanPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Arm(_PlanPart):
    """One contender: a method in a mode of delivery (which means nothing to `sync`). The same arm may stand
    in a plan twice: that shows how much two equal ones differ by chance."""

    method: MethodName
    delivery: Delivery = Delivery.SAFE


class FixedDuration(_PlanPart):
    """Every job takes `seconds`."""

    law: Literal["fixed"] = "fixed"
    seconds: Seconds = 0.01


class Uniform(_PlanPart):
    """Anything from `low` to `high` seconds, all equally likely."""

    law: Literal["uniform"]
    low: Seconds
    high: Seconds

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError("low is greater than high")
        return self


class ExponentialDuration(_PlanPart):
    """Exponentially distributed around `mean` seconds; nothing longer than 20 means, nor than 60 seconds."""

    law: Literal["exponential"]
    mean: Annotated[float, Field(gt=0, le=MAX_DURATION, allow_inf_nan=False)]


class Values(_PlanPart):
    """Drawn from `values` (seconds), such as the measured durations of the reader's own jobs."""

    law: Literal["values"]
    values: Annotated[list[Seconds], Field(min_length=1, max_length=MAX_VALUES)]


Duration = Annotated[FixedDuration | Uniform | ExponentialDuration | Values, Field(discriminator="law")]


class Burst(_PlanPart):
    """All jobs at once."""

    law: Literal["burst"] = "burst"


class OpenLoop(_PlanPart):
    """`rate` jobs a second, whether or not the earlier ones are done: evenly, or as independent users send
    them (a Poisson process). Latency counts from the time that a job was due.

    Attributes:
        share: in place of a rate, the share of what the slowest arm can do, which a short burst measures before the
            first turn; the rate follows from that.
        capacity: jobs a second, as measured.
    """

    law: Literal["open"]
    rate: Annotated[float, Field(gt=0, le=MAX_RATE, allow_inf_nan=False)] = UNMEASURED_RATE
    share: Annotated[float, Field(gt=0, le=MAX_SHARE, allow_inf_nan=False)] | None = None
    capacity: float | None = None
    spacing: Literal["even", "poisson"] = "poisson"

    @model_validator(mode="after")
    def _has_a_rate(self) -> Self:
        if self.share is None and "rate" not in self.model_fields_set:
            raise ValueError("an open loop takes a rate, or a share of the capacity")
        return self


Arrival = Annotated[Burst | OpenLoop, Field(discriminator="law")]


class Plan(_PlanPart):
    """What an experiment does. Each repetition runs every arm once, in an order drawn from the seed; one turn
    before them, of at most 50 jobs an arm, warms up and does not count.

    Attributes:
        jobs: how many, for each arm and repetition; None where `seconds` of an open loop are asked for.
        p: the share of jobs that fail, where `work` is FAILING; they are not tried again.
        payload_bytes: how much each message carries beside its job.
        reports: whether anything waits for the reports of begin and end.
        deadline: seconds after the last job was due, after which a repetition's jobs that have not ended count
            as lost.
        equalise: sets what can be set alike before it begins, and back when it has ended.
        margin: contenders count as equal where their ratio surely lies within 1 ± this share.
    """

    title: Annotated[str, Field(max_length=MAX_TITLE)] = ""
    arms: Annotated[list[Arm], Field(min_length=1, max_length=MAX_ARMS)]
    jobs: Annotated[int, Field(ge=1, le=MAX_JOBS)] | None = None
    seconds: Annotated[float, Field(gt=0, le=MAX_SECONDS, allow_inf_nan=False)] | None = None
    work: Workload = Workload.WAIT
    p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.1
    duration: Duration = FixedDuration()
    arrival: Arrival = Burst()
    reports: Reports = Reports.BESIDE
    payload_bytes: Annotated[int, Field(ge=0, le=MAX_PAYLOAD)] = 0
    repetitions: Annotated[int, Field(ge=1, le=MAX_REPETITIONS)] = 5
    warm_up: bool = True
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 1
    deadline: Annotated[float, Field(gt=0, le=MAX_DEADLINE, allow_inf_nan=False)] = 300.0
    equalise: bool = True
    margin: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.05

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if (self.jobs is None) is (self.seconds is None):
            raise ValueError("a plan takes either jobs or seconds")
        if self.seconds is not None and not isinstance(self.arrival, OpenLoop):
            raise ValueError("seconds go with an open loop; a burst takes jobs")
        if self.count > MAX_JOBS:
            raise ValueError(f"that is {self.count} jobs a repetition; at most {MAX_JOBS}")
        # The store keeps them all.
        if self.tasks > MAX_TASKS:
            raise ValueError(f"repetitions: that is {self.tasks} jobs in all of them; at most {MAX_TASKS}")
        if self.tasks * self.payload_bytes > MAX_BYTES:
            raise ValueError(f"payload_bytes: all messages together carry at most {MAX_BYTES} bytes")
        return self

    @property
    def count(self) -> int:
        """Jobs for each arm and repetition."""
        if self.jobs is not None:
            return self.jobs
        rate = self.arrival.rate if isinstance(self.arrival, OpenLoop) else 0.0
        return max(1, round((self.seconds or 0.0) * rate))

    @property
    def mean_seconds(self) -> float:
        """How long a job's work takes on the average."""
        if self.work is Workload.NOOP:
            return 0.0
        match self.duration:
            case FixedDuration(seconds=seconds):
                return seconds
            case Uniform(low=low, high=high):
                return (low + high) / 2
            case ExponentialDuration(mean=mean):
                return mean
            case Values(values=values):
                return fmean(values)

    @property
    def as_asked(self) -> "Plan":
        """The plan without what was measured since."""
        if not isinstance(self.arrival, OpenLoop) or self.arrival.share is None:
            return self
        asked = self.arrival.model_copy(update={"rate": UNMEASURED_RATE, "capacity": None})
        return self.model_copy(update={"arrival": asked})

    @property
    def warm_up_count(self) -> int:
        """Jobs for each arm in the turn that does not count; 0 if there is none."""
        return min(WARM_UP_JOBS, self.count) if self.warm_up else 0

    @property
    def tasks(self) -> int:
        """Jobs of all arms in all repetitions, the warm-up included."""
        return (self.count * self.repetitions + self.warm_up_count) * len(self.arms)


class PlannedJob(_PlanPart):
    """One job as planned.

    Attributes:
        at: seconds after the repetition's begin when it is due.
        seconds: how long its work takes.
        fails: whether it raises at its end.
    """

    at: float
    seconds: float
    fails: bool = False
