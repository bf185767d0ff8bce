"""How many jobs a second the slowest contender can do, by a short burst before the first turn; and the open loop at a
share of that."""

from collections.abc import Sequence
from typing import Final

from experiments.model import ArmTurn, label
from experiments.plan import MAX_JOBS, MAX_RATE, MAX_TASKS, Burst, OpenLoop, Plan
from experiments.totals import counted

MOST_JOBS: Final = 300
LEAST_JOBS: Final = 10
_WORK_SECONDS: Final = 6.0


class NoCapacity(Exception):
    """A contender ended none of its jobs."""

    def __init__(self, plan: Plan, place: int) -> None:
        super().__init__(
            f"the capacity of {label(plan, place)} is not known: none of the jobs of a short burst ended"
        )


def burst_of(plan: Plan) -> Plan:
    """The burst whose throughput is the capacity: the same jobs, at most 300, fewer where they are long."""
    many = _WORK_SECONDS / plan.mean_seconds if plan.mean_seconds else MOST_JOBS
    jobs = int(min(MOST_JOBS, max(LEAST_JOBS, many)))
    changes = {"arrival": Burst(), "jobs": jobs, "seconds": None, "repetitions": 1, "warm_up": True}
    return plan.model_copy(update=changes)


def at_share(plan: Plan, runs: Sequence[ArmTurn]) -> Plan:
    """`plan` with the rate that its arrival's share makes of the slowest contender's throughput in `runs` of the
    burst, as far as the bounds of plans allow.

    Raises:
        NoCapacity: there is no such throughput.
    """
    arrival = plan.arrival
    if not isinstance(arrival, OpenLoop) or arrival.share is None:
        return plan
    done = {arm: sum(run.figures.throughput for run in counted(runs, arm)) for arm in range(len(plan.arms))}
    slowest = min(done, key=lambda arm: done[arm])
    capacity = done[slowest]
    if capacity <= 0:
        raise NoCapacity(plan, slowest)
    most = float(MAX_RATE)
    if plan.seconds is not None:
        jobs = min(MAX_JOBS, MAX_TASKS // len(plan.arms) // (plan.repetitions + 1))
        most = min(most, jobs / plan.seconds)
    rate = min(most, float(f"{arrival.share * capacity:.3g}"))
    changed = arrival.model_copy(update={"rate": rate, "capacity": float(f"{capacity:.3g}")})
    return plan.model_copy(update={"arrival": changed})
