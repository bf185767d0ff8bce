"""Plans to begin from, each of which answers a question that people come with."""

from collections.abc import Callable
from typing import Final

from experiments.plan import Arm, ExponentialDuration, FixedDuration, OpenLoop, Plan, Workload
from transports.methods import METHODS

_ALL: Final = [Arm(method=method.name) for method in METHODS.values()]
_MEAN_SECONDS: Final = 0.02


def _burst(_: int) -> Plan:
    return Plan(arms=_ALL, jobs=2_000, work=Workload.NOOP, duration=FixedDuration(seconds=0), repetitions=5)


def _half_load(concurrency: int) -> Plan:
    rate = concurrency / _MEAN_SECONDS / 2
    return Plan(arms=_ALL, seconds=4, duration=ExponentialDuration(law="exponential", mean=_MEAN_SECONDS),
                arrival=OpenLoop(law="open", rate=rate), repetitions=5)  # fmt: skip


def _equal(_: int) -> Plan:
    return Plan(arms=_ALL[:1] * 2, jobs=300, duration=FixedDuration(seconds=0.01), repetitions=6)


PRESETS: Final[dict[str, Callable[[int], Plan]]] = {
    "burst": _burst,
    "half-load": _half_load,
    "equal": _equal,
}
"""By name; each takes how many jobs a method's workers run at once."""
