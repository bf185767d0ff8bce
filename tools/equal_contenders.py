"""How often an experiment calls one contender different from itself: `python -m tools.equal_contenders`.

Starts a lab of its own and runs the same contender against itself, over and over with another seed each time; prints
each answer and at last how many say *differs*. At most 2 of 40 should, on a machine at rest. The exit status is 1 where
more do.
"""

import argparse
import sys
import time
from typing import Final

from experiments.client import LabClient
from experiments.model import CONTENDERS, Comparison, Finding
from experiments.plan import FixedDuration, Plan
from experiments.stand import OwnStand
from experiments.words import ratio_text

RUNS: Final = 40
MOST: Final = 0.05
_LOOK_SECONDS: Final = 0.5


def plan_of(contender: str, seed: int) -> Plan:
    """A short burst of jobs of 5 ms by one contender and by itself, five times."""
    arm = CONTENDERS[contender]
    return Plan(arms=[arm, arm], jobs=150, duration=FixedDuration(seconds=0.005), seed=seed)


def run(client: LabClient, plan: Plan) -> tuple[Comparison, list[str]]:
    """What the experiment says of the throughput, and which marks it has."""
    experiment_id = client.run(plan)
    while not client.get(experiment_id, runs=False).ended:
        time.sleep(_LOOK_SECONDS)
    found = client.get(experiment_id)
    if found.status != "DONE":
        raise RuntimeError(found.error or found.status)
    (throughput,) = [one for one in found.comparisons if one.figure == "throughput"]
    return throughput, list(found.marks)


def main() -> int:
    """Runs them all; 1 where more than one in twenty says that there is a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--contender", choices=CONTENDERS, default="rabbitmq:safe")
    asked = parser.parse_args()
    answers = []
    with OwnStand(plan_of(asked.contender, 1), 3) as stand:
        client = LabClient(stand.url)
        for seed in range(1, asked.runs + 1):
            found, marks = run(client, plan_of(asked.contender, seed))
            answers.append(found.answer)
            told = f"{found.answer.value:9}  {ratio_text(found.ratio)}  {', '.join(marks)}".rstrip()
            print(f"{seed:3}  {told}", flush=True)
        client.close()
    differ = answers.count(Finding.DIFFERS)
    print(f"{differ} of {len(answers)} say differs; {answers.count(Finding.EQUAL)} say equal")
    return int(differ > MOST * len(answers))


if __name__ == "__main__":
    sys.exit(main())
