"""What disturbed an experiment, or bounds what its figures say: told before anything else.

Thresholds are on one repetition of one arm; an arm is marked with the worst of its repetitions.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from experiments.model import ArmTurn, Disturbance, Figures, Mark, Sample
from experiments.plan import OpenLoop, Plan

FOREIGN: Final = 0.10
"""The share of the machine that other programs may take in a repetition."""

LATE_SECONDS: Final = 0.5
GROWING: Final = 0.9
"""Less done than this share of what was offered, in the second half of the sending, means a growing queue."""

LEAST_BACKLOG: Final = 20
OFFSET_SECONDS: Final = 0.005
MEASURED_SECONDS: Final = 0.02
"""A round trip on a busy machine may be so much longer in one direction."""

FEW_OTHERS: Final = 0.01
"""Tasks that are not of the experiment, as a share of its own."""

ONE_OTHER: Final = 1
"""Beat's word, once a minute."""

TENTH: Final = 0.9


def sending_of(samples: Sequence[Sample], plan: Plan, begun_us: int) -> dict[str, Any]:
    """How the load came: `sender_late`, the seconds that a job was due and nothing was sent, at the longest; and of
    an open loop `offered` and `done`, jobs a second in the second half of the sending, with the `backlog` at its end.
    """
    sent = sorted((one.published_us, one.due_us) for one in samples if one.published_us is not None)
    late, before = 0, begun_us
    for published, due in sent:
        late = max(late, published - max(due, before))
        before = published
    found: dict[str, Any] = {"sender_late": late / 1e6}
    if not isinstance(plan.arrival, OpenLoop) or not samples:
        return found
    delays = sorted(published - due for published, due in sent)
    if delays:
        found["sender_late"] = max(late, delays[min(len(delays) - 1, int(TENTH * len(delays)))]) / 1e6
    first, last = min(one.due_us for one in samples), max(one.due_us for one in samples)
    middle, seconds = (first + last) / 2, (last - first) / 2e6
    if seconds <= 0:
        return found
    ends = [one.finished_us for one in samples if one.finished_us is not None]
    found["offered"] = sum(one.due_us > middle for one in samples) / seconds
    found["done"] = sum(middle < end <= last for end in ends) / seconds
    found["backlog"] = len(samples) - sum(end <= last for end in ends)
    return found


def clock_offset(samples: Iterable[Sample], measured: float | None = None) -> float:
    """Seconds by which a worker's clock is surely off against the one of those who send and store: as `measured` by
    the round trips of its reports; else behind (negative) where jobs began before they were published, ahead where
    they ended after that was stored; 0 where none of it is so."""
    if measured is not None and abs(measured) >= MEASURED_SECONDS:
        return measured
    behind = ahead = 0
    for one in samples:
        if one.started_us is not None and one.published_us is not None:
            behind = min(behind, one.started_us - one.published_us)
        if one.finished_us is not None and one.recorded_us is not None:
            ahead = max(ahead, one.finished_us - one.recorded_us)
    worst = max(behind, ahead, key=abs) / 1e6
    return worst if abs(worst) >= OFFSET_SECONDS else 0.0


def is_disturbed(disturbance: Disturbance) -> bool:
    """Whether other programs took so much of the machine that the repetition should be run again."""
    return disturbance.foreign is not None and disturbance.foreign > FOREIGN


def is_kept_up(came: float, done: float) -> bool:
    """Whether about as many jobs were done as had come some time before."""
    return done >= GROWING * came or came - done < LEAST_BACKLOG


def marks_of(plan: Plan, runs: Sequence[ArmTurn]) -> dict[str, list[Mark]]:
    """The marks of all counted repetitions, by kind, in the order in which they are told; one for each arm that has
    it."""
    found: dict[str, list[Mark]] = {}
    for kind in KINDS:
        for arm in range(len(plan.arms)):
            seen = [mark for run in runs if run.arm == arm and run.turn > 0 if (mark := _mark(kind, run))]
            if seen:
                found.setdefault(kind, []).append(max(seen, key=lambda mark: abs(mark.value)))
    return found


def marks_of_run(run: ArmTurn) -> dict[str, Mark]:
    """The marks of one repetition, by kind."""
    return {kind: mark for kind in KINDS if (mark := _mark(kind, run))}


def _mark(kind: str, run: ArmTurn) -> Mark | None:
    value, of = _VALUES[kind](run.figures)
    return Mark(arm=run.arm, turn=run.turn, value=value, of=of) if value else None


def _foreign(figures: Figures) -> tuple[float, float | None]:
    return (figures.disturbance.foreign or 0.0 if is_disturbed(figures.disturbance) else 0.0), None


def _late(figures: Figures) -> tuple[float, float | None]:
    return (figures.sender_late if figures.sender_late >= LATE_SECONDS else 0.0), None


def _growing(figures: Figures) -> tuple[float, float | None]:
    """Jobs a second that were too many."""
    offered, done = figures.offered, figures.done
    if offered is None or done is None or figures.backlog < LEAST_BACKLOG or done >= GROWING * offered:
        return 0.0, None
    return offered - done, offered


def _others(figures: Figures) -> tuple[float, float | None]:
    others = figures.disturbance.others
    return (float(others) if others > max(ONE_OTHER, FEW_OTHERS * figures.jobs) else 0.0), None


KINDS: Final = (
    "foreign_load",
    "growing_queue",
    "late_sender",
    "clock_offset",
    "outages",
    "restarts",
    "other_tasks",
)
_VALUES: Final[Mapping[str, Any]] = {
    "foreign_load": _foreign,
    "growing_queue": _growing,
    "late_sender": _late,
    "clock_offset": lambda figures: (figures.clock_offset, None),
    "outages": lambda figures: (float(figures.disturbance.outages), None),
    "restarts": lambda figures: (float(figures.disturbance.restarts), None),
    "other_tasks": _others,
}
