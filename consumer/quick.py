"""Which jobs are over at once, so that telling about many of them together delays none."""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from consumer.work import Work
from lab.job import Job

QUICK_SECONDS: Final = 0.001
TOGETHER_SECONDS: Final = 0.02
MOST_TOGETHER: Final = 500
SEEN_TIMES: Final = 3
KEPT: Final = 1024


def key_of(job: Job) -> int:
    """Alike for jobs of one kind with the same parameters; 0 for those that cannot be compared."""
    try:
        return hash((job.kind, *job.params.items())) or 1
    except TypeError:
        return 0


class Durations:
    """How long jobs took of late, by `key_of`: a moving average. Threads take turns with it by the
    interpreter's lock; a lost note does no harm."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, tuple[float, int]] = OrderedDict()

    def note(self, key: int, seconds: float) -> None:
        """Says that such a job took `seconds`."""
        if not key:
            return
        mean, times = self._known.pop(key, (seconds, 0))
        self._known[key] = (0.9 * mean + 0.1 * seconds, times + 1)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)

    def expected(self, key: int) -> float | None:
        """Seconds that such a job takes, where it has been quick several times; None otherwise."""
        mean, times = self._known.get(key, (0.0, 0))
        return mean if times >= SEEN_TIMES and mean <= QUICK_SECONDS else None

    def take_quick(self, line: deque[Work], may: Callable[[Work], bool]) -> list[Work]:
        """Takes from the front of `line` what may run together: works that are quick, as many as take no longer
        than TOGETHER_SECONDS."""
        works: list[Work] = []
        together = 0.0
        while line and len(works) < MOST_TOGETHER and together < TOGETHER_SECONDS:
            seconds = self.expected(line[0].key)
            if seconds is None or not may(line[0]):
                break
            together += seconds
            works.append(line.popleft())
        return works
