"""A step that fails, to show what a workflow does then."""

from typing import Any

from lab.context import Context


class StepFailed(Exception):
    """A step was asked to fail, and did."""


def failing_step(context: Context, given: Any) -> None:  # noqa: ARG001 - as every step is called
    """Fails for good, whatever it is given.

    Raises:
        StepFailed: always.
    """
    raise StepFailed("this step was asked to fail")
