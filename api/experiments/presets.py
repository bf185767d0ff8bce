"""Plans to begin from, each of which answers a question that people come with."""

from typing import Final

from experiments.plan import Arm, ExponentialDuration, FixedDuration, OpenLoop, Plan, Workload
from transports.methods import METHODS

_ALL: Final = [Arm(method=method.name) for method in METHODS.values()]
_MEAN_SECONDS: Final = 0.02


PRESETS: Final = {
    "burst": Plan(
        arms=_ALL, jobs=2_000, work=Workload.NOOP, duration=FixedDuration(seconds=0), repetitions=5
    ),
    "half-load": Plan(
        arms=_ALL,
        seconds=10,
        duration=ExponentialDuration(law="exponential", mean=_MEAN_SECONDS),
        arrival=OpenLoop(law="open", share=0.5),
        repetitions=5,
    ),
    "equal": Plan(arms=_ALL[:1] * 2, jobs=300, duration=FixedDuration(seconds=0.01), repetitions=6),
}
"""By name."""
