"""Sets alike, for the time of an experiment, how many jobs the arms run at once."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from experiments.fairness import workers_of
from experiments.plan import Arm, Plan
from transports.control import Control, ControlError, WorkerPicture

SECONDS: Final = 10.0
AGAIN_SECONDS: Final = 0.3
MOST_AT_ONCE: Final = 100


class EqualiseError(RuntimeError):
    """The workers could not be set alike; the message is one sentence that says why."""


class Equaliser:
    """Grows and shrinks the workers of the arms until each arm runs the same number of jobs at once, in all;
    the prefetch follows. As a context manager it sets them back on exit, also after an error.

    That number is the smallest of the arms', save where another arm has more workers than that: none of them
    runs fewer than one. How many workers an arm has is left as it is.

    Args:
        controls: by method.
        seconds: how long busy workers are waited for: Celery ends idle processes only.
    """

    def __init__(self, controls: Mapping[str, Control], plan: Plan, seconds: float = SECONDS) -> None:
        self._controls = controls
        self._plan = plan
        self._seconds = seconds
        self._before: dict[tuple[str, str], int] = {}
        self._reached: dict[tuple[str, str], int] = {}

    def apply(self) -> list[WorkerPicture]:
        """Sets them alike; returns the pictures of all workers afterwards.

        Raises:
            EqualiseError: it cannot be done; what was changed is set back.
        """
        try:
            pictures = self._pictures()
            wanted = wanted_sizes(self._plan.arms, pictures)
            self._before = {
                (one.method, one.name): one.concurrency for one in pictures if one.concurrency is not None
            }
            if wanted:
                pictures = self._resize(wanted)
                self._reached = wanted
            return pictures
        except ControlError as error:
            self.restore()
            raise EqualiseError(f"The workers cannot be asked: {error}.") from error
        except EqualiseError:
            self.restore()
            raise

    def restore(self) -> bool:
        """Sets them back to what they were before `apply`; whether that was possible for all of them."""
        before, self._before = self._before, {}
        reached, self._reached = self._reached, {}
        try:
            # At once, and only then a look at what came of it: whoever ends an experiment may not have the time.
            for (method, name), size in reached.items():
                self._order(method, name, before[method, name] - size)
            if before:
                self._resize(before)
        except (ControlError, EqualiseError):
            return False
        return True

    def _pictures(self) -> list[WorkerPicture]:
        methods = dict.fromkeys(arm.method for arm in self._plan.arms)
        return [one for name in methods if name in self._controls for one in self._controls[name].pictures()]

    def _resize(self, wanted: Mapping[tuple[str, str], int]) -> list[WorkerPicture]:
        """Until every worker that is still there has the size `wanted` of it."""
        deadline, error = time.monotonic() + self._seconds, None
        while True:
            pictures = self._pictures()
            wrong = [one for one in pictures if _change(one, wanted)]
            if not wrong:
                return pictures
            if time.monotonic() > deadline:
                break
            for one in wrong:
                error = self._order(one.method, one.name, _change(one, wanted)) or error
            time.sleep(AGAIN_SECONDS)  # a consumer takes its new prefetch a moment later
        one = wrong[0]
        size = wanted[one.method, one.name]
        raise EqualiseError(
            f"{one.name} runs {one.concurrency} jobs at once and could not be set to {size}"
            + (f": {error}." if error else ".")
        )

    def _order(self, method: str, name: str, change: int) -> str | None:
        """Has a worker run so many more jobs at once, or fewer; returns why it did not."""
        if not change:
            return None
        control = self._controls[method]
        order = control.grow if change > 0 else control.shrink
        answers = order(name, min(abs(change), MOST_AT_ONCE))
        return next((answer.error for answer in answers if answer.error), None)

    def __enter__(self) -> Self:
        self.apply()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restore()


def wanted_sizes(arms: Sequence[Arm], pictures: Sequence[WorkerPicture]) -> dict[tuple[str, str], int]:
    """How many jobs at once each worker of the arms is to run, by method and name.

    Raises:
        EqualiseError: a worker does not tell how many it runs, or shares its name with another.
    """
    sides = [workers for workers in (workers_of(arm, pictures) for arm in arms) if workers]
    for one in (worker for side in sides for worker in side):
        if one.concurrency is None:
            raise EqualiseError(f"{one.name} does not tell how many jobs it runs at once.")
        if sum((other.method, other.name) == (one.method, one.name) for other in pictures) > 1:
            raise EqualiseError(f"Two workers are called {one.name}: start each with a name of its own.")
    if not sides:
        return {}
    smallest = min(sum(one.concurrency or 0 for one in side) for side in sides)
    target = max(smallest, *(len(side) for side in sides))
    wanted: dict[tuple[str, str], int] = {}
    for side in sides:
        sizes = _spread([one.concurrency or 1 for one in side], target)
        wanted |= {(one.method, one.name): size for one, size in zip(side, sizes, strict=True)}
    return wanted


def _spread(sizes: Sequence[int], target: int) -> list[int]:
    """`sizes` with the sum `target`: the largest give first, the smallest take first."""
    result = list(sizes)
    while (left := target - sum(result)) != 0:
        place = result.index(min(result) if left > 0 else max(result))
        result[place] += 1 if left > 0 else -1
    return result


def _change(one: WorkerPicture, wanted: Mapping[tuple[str, str], int]) -> int:
    size = wanted.get((one.method, one.name))
    return 0 if size is None or one.concurrency is None else size - one.concurrency
