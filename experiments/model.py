"""What an experiment leaves behind: samples, figures, comparisons. All that is stored, charted and reported.

Times are microseconds since the epoch here, and ISO 8601 in JSON, where `begun_us` is `begun_at`; durations of
figures are milliseconds; everything else says its unit.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from experiments.plan import Arm, Plan
from lab.clock import from_iso, to_iso
from lab.delivery import Delivery
from transports.methods import METHODS, SYNC, label_of

METRICS: Final = ("submit", "publish", "queue", "overhead", "report", "end_to_end")
"""What a web page would wait for, handing one job over; then the spans of a job's life, in order: due -> handed to the
broker -> begun by a worker -> (the asked duration is taken off) ended by it -> stored by the API, where reports are in
the path; and from due to the last of them."""


Instant = Annotated[
    int,
    BeforeValidator(lambda value: from_iso(value) if isinstance(value, str) else value),
    PlainSerializer(to_iso, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment in microseconds since the epoch."""


class _ModelPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, serialize_by_alias=True)


class Sample(_ModelPart):
    """One job of a repetition; what did not happen is None.

    Attributes:
        index: its place in the plan of the repetition, from 0.
        due_us: when the plan wanted it sent.
        published_us: when its message was written to the broker; when it was stored, for `sync`.
        started_us, finished_us: by the worker's clock.
        recorded_us: when the API stored its end.
        submit_us: how long handing it over took, with its confirm where there is one; of `sync` how long it ran, as
            the request waits for that. Microseconds; None with reports in the path, where a relay hands it over.
        status: where it stood at last.
        attempts: how often it was begun; retries: how often it was tried again on purpose.
    """

    index: int
    seconds: float
    due_us: int
    published_us: int | None = None
    started_us: int | None = None
    finished_us: int | None = None
    recorded_us: int | None = None
    submit_us: int | None = None
    status: str
    worker: str | None = None
    attempts: int = 0
    retries: int = 0


class Usage(_ModelPart):
    """What one part of the stand used during a repetition; None where it cannot be seen from here.

    Attributes:
        cpu_seconds: user and system, of all its processes.
        memory: bytes that its processes held together at the repetition's end (PSS).
        bytes_in, bytes_out: of its connections to the broker, by its own count.
    """

    model_config = ConfigDict(extra="ignore")  # what former versions measured as well

    cpu_seconds: float | None = None
    memory: int | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None


class Spread(_ModelPart):
    """Percentiles of one metric, from an HdrHistogram of three significant digits; milliseconds."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    p999: float
    max: float


class Disturbance(_ModelPart):
    """What came from outside during a repetition.

    Attributes:
        foreign: the share of the machine's processors that went to programs which are not of the stand; None where
            that cannot be told, as where the broker runs elsewhere.
        outages: how often the broker was away.
        restarts: workers of the arm that were not there at the begin.
        others: tasks that are not of the experiment, and that workers of the arm's method began meanwhile.
        clock_offset: seconds by which the clock of one of the arm's workers is ahead of the API's, that which is most
            off, by the round trips of its reports; None where none tells.
    """

    foreign: float | None = None
    outages: int = 0
    restarts: int = 0
    others: int = 0
    clock_offset: float | None = None


class Figures(_ModelPart):
    """One arm's figures in one repetition.

    Attributes:
        throughput: ended jobs a second, from the first due to the last end (`experiments.figures.end_us`).
        spreads: by metric.
        usage: by part: "workers", "api", "broker", "publisher".
        per_job: "bytes" between the method's clients and the broker, a job, both ways; empty where they were not
            seen.
        per_worker: jobs ended, by worker.
        failed: jobs that FAILED; duplicates: begun again without being asked to; lost: not ended in time.
        disturbance: what came from outside meanwhile.
        sender_late: seconds that a job was due and nothing was sent, at the longest.
        offered, done, backlog: in the second half of an open loop's sending, jobs a second that came and that ended,
            and how many were under way at its end; None for a burst.
        clock_offset: seconds by which a worker's clock is surely off; 0 where none is, as far as can be told.
        done_curve: (seconds since the begin, share of jobs that have ended), at most 200 points.
        throughput_curve, depth_curve: (seconds, jobs a second) and (seconds, jobs published and not begun).
        latency_curve: (percentile from 0 to below 100, ms) of "end_to_end".
    """

    jobs: int
    seconds: float
    throughput: float
    spreads: dict[str, Spread]
    usage: dict[str, Usage]
    per_job: dict[str, float]
    per_worker: dict[str, int]
    failed: int = 0
    retries: int = 0
    duplicates: int = 0
    lost: int = 0
    disturbance: Disturbance = Disturbance()
    sender_late: float = 0.0
    offered: float | None = None
    done: float | None = None
    backlog: int = 0
    clock_offset: float = 0.0
    done_curve: list[tuple[float, float]] = []
    throughput_curve: list[tuple[float, float]] = []
    depth_curve: list[tuple[float, float]] = []
    latency_curve: list[tuple[float, float]] = []

    @model_validator(mode="before")
    @classmethod
    def _of_former_versions(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and "outages" in fields:
            fields = dict(fields)
            fields["disturbance"] = {"outages": fields.pop("outages")}
        return fields


class ArmTurn(_ModelPart):
    """One arm in one repetition; `turn` 0 is the warm-up, which counts nowhere."""

    turn: int
    arm: int
    begun_us: Instant = Field(validation_alias="begun_at", serialization_alias="begun_at")
    figures: Figures


class Interval(_ModelPart):
    """A figure with its 95 % interval over the repetitions (Student's t); `low` and `high` are None where there are
    too few of them."""

    value: float
    low: float | None = None
    high: float | None = None


def _as_interval(value: Any) -> Any:
    """Ratios of experiments that were stored when they had no interval are numbers."""
    return {"value": value} if isinstance(value, int | float) else value


class Mark(_ModelPart):
    """What disturbed an arm, or bounds what is said of it: its worst repetition, and how bad that was, in the unit of
    its kind (`experiments.marks`); `of` is what `value` is a part of."""

    arm: int
    turn: int
    value: float
    of: float | None = None


class Total(_ModelPart):
    """One arm over all counted repetitions. Keys of `figures` are those of `experiments.figures.TITLES`:
    "throughput", "<metric>.<p50|p90|p99|p999|max>", "cpu.<part>" (ms a job), "memory.<part>" (bytes),
    "per_job.<bytes|frames>".

    Attributes:
        unsound: repetitions in which more than one job in a hundred was lost, or failed without being asked to:
            their throughput and percentiles are of the other jobs only.
        disturbed: repetitions during which the broker was away.
    """

    arm: int
    figures: dict[str, Interval]
    failed: int = 0
    retries: int = 0
    duplicates: int = 0
    lost: int = 0
    unsound: int = 0
    disturbed: int = 0


class Finding(StrEnum):
    """What the repetitions say of two arms in one figure."""

    DIFFERS = "differs"
    EQUAL = "equal"
    UNKNOWN = "not_known"


class Comparison(_ModelPart):
    """Two arms in one figure: `second` beside `first`, by repetition. Intervals of the headline figures
    (`experiments.totals.headline`) are widened until those of all pairs hold together.

    Attributes:
        difference: `second` minus `first`.
        means: the first's value and the second's, of the repetitions that both ran.
        ratio: `second` ÷ `first`; None where one of them is not above 0.
        turns: how many both ran; greater: in how many of them the first's value was the greater one, and the second's.
            None in experiments that were stored before these were kept.
        answer: by the ratio's interval and the plan's margin.
        more: where the answer is not known, how many more repetitions would tell a tenth; None where that
            cannot be said.
    """

    first: int
    second: int
    figure: str
    difference: Interval
    means: tuple[float, float] | None = None  # experiments of the first version have none
    ratio: Annotated[Interval | None, BeforeValidator(_as_interval)]
    turns: int | None = None
    greater: tuple[int, int] | None = None
    answer: Finding = Finding.UNKNOWN
    more: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_former_versions(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and "shown" in fields:
            fields = dict(fields)
            fields.setdefault("answer", Finding.DIFFERS if fields.pop("shown") else Finding.UNKNOWN)
        return fields


class FairnessRow(_ModelPart):
    """One thing that may differ between the arms: its value for each arm, as text, and whether they are equal.

    Attributes:
        key: "concurrency", "prefetch", "acknowledgement", "confirms", "durability", "queue_type", "pool",
            "workers", "versions", …; the pages have a title and a remark for each.
        can_equalise: whether the switch makes them alike; done: whether it did.
        changed: whether it was no longer so after the last repetition; the values that changed read `3 → 2`.
    """

    key: str
    values: list[str]
    equal: bool
    can_equalise: bool = False
    done: bool = False
    changed: bool = False


class Experiment(_ModelPart):
    """All of it, as it is stored, shown and reported.

    Attributes:
        status: PENDING (its turn has not come), IN_PROGRESS, DONE, FAILED, CANCELLED.
        environment: names and values: versions, system, processor, cores, memory, load at the begin, times.
        marks: by kind, such as "foreign_load", "growing_queue", "late_sender".
        verdict: what the page says of it, in English, line by line; where it is sent out, it is not stored.
        progress: 0 to 1; step: what it is doing, such as "turn 2 of 5, Celery, safe".
    """

    id: str
    created_us: Instant = Field(validation_alias="created_at", serialization_alias="created_at")
    started_us: Instant | None = Field(
        default=None, validation_alias="started_at", serialization_alias="started_at"
    )
    finished_us: Instant | None = Field(
        default=None, validation_alias="finished_at", serialization_alias="finished_at"
    )
    status: Literal["PENDING", "IN_PROGRESS", "DONE", "FAILED", "CANCELLED"]
    plan: Plan
    fairness: list[FairnessRow] = []
    environment: dict[str, str] = {}
    progress: float = 0.0
    step: str = ""
    error: str | None = None
    runs: list[ArmTurn] = []
    totals: list[Total] = []
    comparisons: list[Comparison] = []
    marks: dict[str, list[Mark]] = {}
    verdict: list[str] = []

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status not in ("PENDING", "IN_PROGRESS")


def label(plan: Plan, place: int, _: Callable[[str], str] = str) -> str:
    """What the arm at `place` is called in the language of `_`: "Celery, safe", "Sync", and a number where it
    stands there twice."""
    arm = plan.arms[place]
    return _(label_of(arm.method, arm.delivery)) + _number(plan, place)


def arm_key(plan: Plan, place: int) -> str:
    """The arm at `place` as a key in JSON: "celery:safe", "sync", with a number as `label` has it."""
    return arm_name(plan.arms[place]) + _number(plan, place)


def arm_name(arm: Arm) -> str:
    """The arm as plans on the command line and forms name it: "celery:safe", "sync"."""
    return arm.method if arm.method == SYNC.name else f"{arm.method}:{arm.delivery.value}"


def _number(plan: Plan, place: int) -> str:
    names = [arm_name(arm) for arm in plan.arms]
    name = names[place]
    return f" {names[: place + 1].count(name)}" if names.count(name) > 1 else ""


CONTENDERS: Final = {
    arm_name(arm): arm
    for arm in (
        Arm(method=method.name, delivery=delivery)
        for method in METHODS.values()
        for delivery in method.contenders
        if method.queue or delivery is Delivery.SAFE
    )
}
"""An arm for each contender, by its name, in the order in which they are shown."""
