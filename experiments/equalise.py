"""Sets alike, for the time of an experiment, how many jobs the arms run at once."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from experiments.fairness import workers_of
from experiments.plan import Arm, Plan
from lab.delivery import Delivery
from transports.control import Control, ControlError, WorkerPicture
from transports.methods import RABBITMQ

SECONDS: Final = 10.0
AGAIN_SECONDS: Final = 0.3
MOST_AT_ONCE: Final = 100
TRIES: Final = 3

Worker = tuple[str, str]
"""A worker by its method and its name."""

logger = logging.getLogger(__name__)


class EqualiseError(RuntimeError):
    """The workers could not be set alike; the message is one sentence that says why."""


class Equaliser:
    """Shrinks the workers of the arms until each arm runs the same number of jobs at once, in all: the smallest
    number among them. As a context manager it sets them back on exit, also after an error.

    What cannot be reached is left: no worker runs fewer than one job, the tutorial's workers cannot be resized, and
    nobody is made larger, since a Celery worker that grows does not raise its prefetch on a quorum queue. How many
    workers an arm has is left as it is.

    Args:
        controls: by method.
        seconds: how long busy workers, and a broker that is away, are waited for: Celery ends idle processes
            only.
    """

    def __init__(self, controls: Mapping[str, Control], plan: Plan, seconds: float = SECONDS) -> None:
        self._controls = controls
        self._plan = plan
        self._seconds = seconds
        self._before: dict[Worker, int] = {}
        self._reached: dict[Worker, int] = {}

    def apply(self) -> list[WorkerPicture]:
        """Sets them alike; returns the pictures of all workers afterwards.

        Raises:
            EqualiseError: it cannot be done; what was changed is set back.
        """
        try:
            pictures = self._pictures(self._plan_methods())
            for _ in range(TRIES):
                wanted = wanted_sizes(self._plan.arms, pictures)
                for one in pictures:
                    if _change(one, wanted) and one.concurrency is not None:
                        self._before.setdefault(_who(one), one.concurrency)
                pictures = self._resize(wanted)
                if wanted_sizes(self._plan.arms, pictures) == wanted:
                    self._reached = {who: wanted[who] for who in self._before if who in wanted}
                    return pictures
        except ControlError as error:
            self.restore()
            raise EqualiseError(f"The workers cannot be asked: {error}.") from error
        except EqualiseError:
            self.restore()
            raise
        self.restore()
        raise EqualiseError("Workers come and go: they could not be made equal.")

    def order_back(self) -> None:
        """Tells the workers that were resized to become as they were, and waits for nothing: anyone who ends an
        experiment may not have the time. `restore` sees to it that they did."""
        reached, self._reached = self._reached, {}
        for who, size in reached.items():
            with suppress(ControlError):
                self._order(who, self._before[who] - size)

    def restore(self) -> bool:
        """Sets those that were resized back to what they were before `apply`; whether that was possible for all
        that are still there. The next call tries again what was not."""
        self.order_back()
        deadline, looks = time.monotonic() + self._seconds, 0
        while self._before:
            looks += 1
            for method in sorted({method for method, _ in self._before}):
                with suppress(ControlError):
                    self._restore(method, gone=looks >= TRIES)
            if time.monotonic() > deadline:
                break
            if self._before:
                time.sleep(AGAIN_SECONDS)
        for method, name in self._before:
            logger.warning("%s (%s) could not be set back to %d", name, method, self._before[method, name])
        return not self._before

    def _restore(self, method: str, *, gone: bool) -> None:
        """One look at the workers of `method`, and an order to each that is not as it was. Those that do not
        answer are not waited for any more where they are taken for `gone`."""
        found = {_who(one): one.concurrency for one in self._pictures([method])}
        for who in [who for who in self._before if who[0] == method]:
            size = found.get(who)
            if size == self._before[who] or (who not in found and gone):
                del self._before[who]
            elif size is not None:
                self._order(who, self._before[who] - size)

    def _plan_methods(self) -> list[str]:
        methods = dict.fromkeys(arm.method for arm in self._plan.arms)
        return [name for name in methods if name in self._controls]

    def _pictures(self, methods: Iterable[str]) -> list[WorkerPicture]:
        return [one for name in methods for one in self._controls[name].pictures()]

    def _resize(self, wanted: Mapping[Worker, int]) -> list[WorkerPicture]:
        """Until every worker that is still there has the size `wanted` of it."""
        deadline, error, looks = time.monotonic() + self._seconds, None, 0
        while True:
            pictures = self._pictures(self._plan_methods())
            looks += 1
            wrong = [one for one in pictures if _change(one, wanted)]
            silent = wanted.keys() - {_who(one) for one in pictures}
            if not wrong and (not silent or looks >= TRIES):
                return pictures
            if wrong and time.monotonic() > deadline:
                break
            for one in wrong:
                error = self._order(_who(one), _change(one, wanted)) or error
            time.sleep(AGAIN_SECONDS)  # a consumer takes its new prefetch a moment later
        one = wrong[0]
        raise EqualiseError(
            f"{one.name} runs {one.concurrency} jobs at once and could not be set to {wanted[_who(one)]}"
            + (f": {error}." if error else ".")
        )

    def _order(self, who: Worker, change: int) -> str | None:
        """Has a worker run so many more jobs at once, or fewer; returns why it did not."""
        if not change:
            return None
        method, name = who
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


def wanted_sizes(arms: Sequence[Arm], pictures: Sequence[WorkerPicture]) -> dict[Worker, int]:
    """How many jobs at once each worker of the arms that can be resized is to run, by method and name.

    Raises:
        EqualiseError: a worker does not tell how many it runs, or shares its name with another.
    """
    sides = [workers for workers in (workers_of(arm, pictures) for arm in arms) if workers]
    for one in (worker for side in sides for worker in side):
        if one.concurrency is None:
            raise EqualiseError(f"{one.name} does not tell how many jobs it runs at once.")
        if sum(_who(other) == _who(one) for other in pictures) > 1:
            raise EqualiseError(f"Two workers are called {one.name}: start each with a name of its own.")
    if not sides:
        return {}
    smallest = min(sum(one.concurrency or 0 for one in side) for side in sides)
    wanted: dict[Worker, int] = {}
    for side in sides:
        if not is_fixed(side[0].method, side[0].delivery):
            sizes = _shrunk([one.concurrency or 1 for one in side], max(smallest, len(side)))
            wanted |= {_who(one): size for one, size in zip(side, sizes, strict=True)}
    return wanted


def is_fixed(method: str, delivery: str | None) -> bool:
    """Whether the workers of that contender cannot be resized."""
    return method == RABBITMQ.name and delivery == Delivery.NAIVE


def _shrunk(sizes: Sequence[int], target: int) -> list[int]:
    """`sizes` with the sum `target`, which is no greater than theirs: the largest give first."""
    result = list(sizes)
    while sum(result) > target:
        result[result.index(max(result))] -= 1
    return result


def _who(one: WorkerPicture) -> Worker:
    return one.method, one.name


def _change(one: WorkerPicture, wanted: Mapping[Worker, int]) -> int:
    size = wanted.get(_who(one))
    return 0 if size is None or one.concurrency is None else size - one.concurrency
