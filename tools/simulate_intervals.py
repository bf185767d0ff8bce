"""How often the intervals of experiments hold the truth, and how often they find a difference:
`python -m tools.simulate_intervals` prints the table of docs/why/experiments.md.

An experiment of two contenders is made up over and over: each repetition has a noise of its own, the arms run one
after the other in an order drawn by `experiments.arrivals.order_of`, and the second is faster by a known factor.
"""

import argparse
import math
import random
from collections.abc import Callable, Sequence
from typing import Final

from experiments.arrivals import order_of
from experiments.intervals import answer_of, of_mean, of_ratio
from experiments.model import Finding
from experiments.plan import Arm, Plan

REPETITIONS: Final = (3, 5, 10, 20)
SPREAD: Final = 0.1
"""The standard deviation of the noise, as a share of the value."""

MARGIN: Final = 0.05

Noise = Callable[[random.Random, int], float]
"""The factor that noise puts on one run: the dice, and which run of the experiment it is."""


def _skewed(dice: random.Random, _: int) -> float:
    return 1 + SPREAD * (dice.expovariate(1) - 1)


def _drifting(dice: random.Random, run: int) -> float:
    return (1 + 0.01 * run) * (1 + 0.01 * dice.gauss())


def _stalling(dice: random.Random, _: int) -> float:
    return (1 + 0.02 * dice.gauss()) * (0.7 if dice.random() < 0.1 else 1)


NOISES: Final[dict[str, Noise]] = {
    "normal, 10 %": lambda dice, _: max(0.05, 1 + SPREAD * dice.gauss()),
    "skewed, 10 % (exponential)": _skewed,
    "drifting, 1 % a run": _drifting,
    "stalling: one run in ten loses 30 %": _stalling,
}


def experiment(noise: Noise, factor: float, repetitions: int, seed: int) -> tuple[list[float], list[float]]:
    """One value of each turn for two contenders, of which the second is `factor` times as fast."""
    dice = random.Random(f"{seed}/{repetitions}/{factor}")
    arm = Arm(method="rabbitmq")
    plan = Plan(arms=[arm, arm], jobs=1, seed=seed)
    values: tuple[list[float], list[float]] = ([], [])
    run = 0
    for turn in range(1, repetitions + 1):
        for place in order_of(plan, turn):
            values[place].append(100 * (factor if place else 1) * noise(dice, run))
            run += 1
    return values


def shares(
    noise: Noise, factor: float, repetitions: int, experiments: int, level: float = 0.95
) -> tuple[float, float]:
    """Of so many experiments, the share whose interval holds `factor`, and the share that says *differs*."""
    held = found = 0
    for seed in range(experiments):
        first, second = experiment(noise, factor, repetitions, seed)
        ratio = of_ratio(first, second, level)
        if ratio is None:
            raise ValueError("the noise went below zero")
        held += (ratio.low or 0.0) <= factor <= (ratio.high or math.inf)
        difference = of_mean([b - a for a, b in zip(first, second, strict=True)], level)
        found += answer_of(ratio, difference, MARGIN) is Finding.DIFFERS
    return held / experiments, found / experiments


def table(experiments: int, repetitions: Sequence[int] = REPETITIONS) -> list[str]:
    """The table as Markdown, in numbers out of a hundred."""
    lines = [
        "| noise | repetitions | holds the truth | equal ones called different | 1.1 found | 1.5 found |",
        "|---|---|---|---|---|---|",
    ]
    for name, noise in NOISES.items():
        for size in repetitions:
            held, wrong = shares(noise, 1.0, size, experiments)
            found = [shares(noise, factor, size, experiments)[1] for factor in (1.1, 1.5)]
            numbers = (f"{100 * share:.1f}" for share in (held, wrong, *found))
            lines.append(f"| {name} | {size} | {' | '.join(numbers)} |")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=2_000, help="how many for each row")
    print("\n".join(table(parser.parse_args().experiments)))
