"""Experiments made up for tests: samples, figures and whole documents, without a broker."""

import random
from collections.abc import Sequence
from functools import cache

from experiments.figures import figures_of
from experiments.model import ArmTurn, Experiment, FairnessRow, Sample, Spread, Usage
from experiments.model import Figures as FiguresModel
from experiments.plan import Arm, OpenLoop, Plan
from experiments.totals import comparisons_of, totals_of

BEGUN = 1_780_000_000_000_000
"""2026-05-28, in microseconds since the epoch."""

ARMS = (Arm(method="celery"), Arm(method="rabbitmq"), Arm(method="sync"))
SLOWNESS = {"celery": 3_000, "rabbitmq": 1_000, "sync": 500}
"""What a job of a method waits in this made-up world, in microseconds."""


def a_plan(**changes: object) -> Plan:
    """A burst of 200 jobs over three arms, five times."""
    return Plan.model_validate({"arms": list(ARMS), "jobs": 200, **changes})


def an_open_plan(**changes: object) -> Plan:
    """1,000 jobs at 100 a second over three arms, five times."""
    return a_plan(**{"jobs": 1_000, "arrival": OpenLoop(law="open", rate=100.0, spacing="even"), **changes})


def a_sample(index: int = 0, due: int = 0, **changes: object) -> Sample:
    """A job of 10 ms: due at `due` (µs after BEGUN), published 1 ms later and handed over in 0.7 ms, begun after 2 ms
    more, ended after 11 ms, and stored 1 ms after that."""
    at = BEGUN + due
    whole = {
        "index": index,
        "seconds": 0.01,
        "due_us": at,
        "published_us": at + 1_000,
        "started_us": at + 3_000,
        "finished_us": at + 14_000,
        "recorded_us": at + 15_000,
        "submit_us": 700,
        "status": "DONE",
        "worker": "one",
        "attempts": 1,
    }
    return Sample.model_validate(whole | changes)


def samples_of(plan: Plan, arm: int, turn: int, slower_us: int = 0) -> list[Sample]:
    """The jobs of one arm in one turn, with noise of its own; each takes `slower_us` more than it was asked."""
    dice = random.Random(f"{plan.seed}/{turn}/{arm}")
    shared = random.Random(f"{plan.seed}/{turn}").uniform(0.9, 1.1)
    wait = SLOWNESS[plan.arms[arm].method] * shared
    samples, free = [], 0
    for index in range(plan.count):
        due = index * 10_000 if isinstance(plan.arrival, OpenLoop) else 0
        publish = 200 + round(dice.expovariate(1 / 100))
        started = max(free, due + publish) + round(dice.expovariate(1 / wait))
        free = started + 10_000 // 3
        finished = started + 10_000 + slower_us + round(dice.expovariate(1 / 200))
        samples.append(
            a_sample(
                index,
                due,
                published_us=BEGUN + due + publish,
                started_us=BEGUN + started,
                finished_us=BEGUN + finished,
                recorded_us=BEGUN + finished + 500 + round(dice.expovariate(1 / 300)),
                worker=f"{plan.arms[arm].method}-{index % 3}",
            )
        )
    return samples


def usage_of(plan: Plan, arm: int) -> dict[str, Usage]:
    """What the parts of the stand used."""
    if plan.arms[arm].method == "sync":
        return {"api": Usage(cpu_seconds=2.0, memory=90 << 20)}
    seen = Usage(cpu_seconds=1.5, memory=120 << 20, bytes_in=90_000, bytes_out=10_000)
    return {
        "workers": seen,
        "api": Usage(cpu_seconds=1.0, memory=80 << 20),
        "broker": Usage(cpu_seconds=0.5),
        "publisher": seen,
    }


def runs_of(plan: Plan, slower_us: Sequence[int] = ()) -> list[ArmTurn]:
    """All turns of all arms, the warm-up among them."""
    return [
        ArmTurn(
            turn=turn,
            arm=arm,
            begun_us=BEGUN,
            figures=figures_of(
                samples_of(plan, arm, turn, slower_us[arm] if slower_us else 0),
                plan,
                BEGUN,
                usage_of(plan, arm),
            ),
        )
        for turn in range(0 if plan.warm_up else 1, plan.repetitions + 1)
        for arm in range(len(plan.arms))
    ]


def an_experiment(plan: Plan | None = None, **changes: object) -> Experiment:
    """A finished experiment with everything in it."""
    return _whole((plan or a_plan(title="Three at once")).model_dump_json()).model_copy(update=changes)


@cache
def _whole(plan_json: str) -> Experiment:
    plan = Plan.model_validate_json(plan_json)
    runs = runs_of(plan)
    arms = len(plan.arms)
    return Experiment(
        id="0198c2f4-0000-7000-8000-000000000001",
        created_us=BEGUN - 5_000_000,
        started_us=BEGUN,
        finished_us=BEGUN + 90_000_000,
        status="DONE",
        plan=plan,
        fairness=[
            FairnessRow(key="concurrency", values=["3"] * arms, equal=True, can_equalise=True, done=True),
            FairnessRow(key="pool", values=["processes", "threads", "the request"][:arms], equal=False),
        ],
        environment={"celery": "5.7.0", "pika": "1.4.4", "processor": "<a & b>", "cores": "2"},
        progress=1.0,
        runs=runs,
        totals=totals_of(plan, runs),
        comparisons=comparisons_of(plan, runs),
    )


def bare_run(turn: int, arm: int, throughput: float, p50: float, p99: float) -> ArmTurn:
    """A run of which only the headline figures matter."""
    spread = Spread(count=1_000, mean=p50, p50=p50, p90=p99, p99=p99, p999=p99, max=p99)
    figures = FiguresModel(
        jobs=200,
        seconds=1.0,
        throughput=throughput,
        spreads={"end_to_end": spread},
        usage={},
        per_job={},
        per_worker={},
    )
    return ArmTurn(turn=turn, arm=arm, begun_us=BEGUN, figures=figures)
