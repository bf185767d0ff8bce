"""Whether somebody takes an arm's jobs, and what to start where nobody does."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from experiments.model import label
from experiments.plan import Arm, Plan
from lab.settings import Settings
from transports.control import CONTROLS, ControlError, WorkerPicture, create_control
from transports.methods import contender


class NoWorker(Exception):
    """Nobody would take the jobs of an arm; the message says what to start."""

    def __init__(self, plan: Plan, place: int) -> None:
        arm = plan.arms[place]
        command, compose = start_of(arm)
        super().__init__(
            f"no worker answers that takes the jobs of {label(plan, place)}: start one with `{command}`, or in"
            f" containers with `{compose}`"
        )
        self.arm = arm


def start_of(arm: Arm) -> tuple[str, str]:
    """The commands that start a worker for `arm`: here, and in containers.

    Raises:
        KeyError: its jobs need none.
    """
    start = contender(arm.method, arm.delivery).start
    if start is None:
        raise KeyError(arm.method)
    return start


def missing(plan: Plan, present: Collection[tuple[str, str | None]]) -> list[int]:
    """The places of those arms of `plan` that have no worker among those `present`, each by its method and mode
    of delivery."""
    return [
        place
        for place, arm in enumerate(plan.arms)
        if arm.method in CONTROLS and (arm.method, arm.delivery.value) not in present
    ]


def check(plan: Plan, present: Collection[tuple[str, str | None]]) -> None:
    """Raises NoWorker where an arm of `plan` has none among those `present`."""
    for place in missing(plan, present):
        raise NoWorker(plan, place)


def present_in(workers: Sequence[Mapping[str, Any]]) -> set[tuple[str, str | None]]:
    """Methods and modes of those workers of the control page's picture that answered last time."""
    return {(worker["method"], worker["delivery"]) for worker in workers if not worker["silent_since"]}


def ask(plan: Plan, settings: Settings) -> set[tuple[str, str | None]]:
    """Methods and modes of the workers that answer now."""
    return {(one.method, one.delivery) for one in answering(plan, settings)}


def answering(plan: Plan, settings: Settings) -> list[WorkerPicture]:
    """The workers of the methods of `plan` that answer now. Where a broker is away, nobody does."""
    found: list[WorkerPicture] = []
    for method in sorted({arm.method for arm in plan.arms} & CONTROLS.keys()):
        control = create_control(method, settings)
        try:
            found += control.pictures()
        except ControlError:
            continue
        finally:
            control.close()
    return found
