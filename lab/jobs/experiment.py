"""The job of experiments: a number of seconds of one kind of work."""

import io
import time
from collections.abc import Callable
from typing import Final

from PIL import Image, ImageFilter

from lab.jobs.context import PROGRESS_SECONDS, Context

_SIDE: Final = 96  # pixels; a round takes about a millisecond


class ExperimentFailure(Exception):
    """The plan of an experiment wanted this job to fail; it is not tried again."""


def experiment_job(
    context: Context,
    seconds: float,
    work: str = "wait",
    fails: bool = False,
    payload: str = "",  # noqa: ARG001 - carried, for its size
    serial: int = 0,  # noqa: ARG001 - carried, so that no two messages of an experiment are alike
) -> None:
    """Works for `seconds`, and fails then where `fails`.

    `work` is `wait` (sleeps), `cpu` (counts), `image` (decodes and blurs a small picture, over and over) or
    `noop` (nothing, whatever `seconds` says). `failing` waits. What computes does so for `seconds` of its
    thread's processor time: where others take the processor from it, it takes longer.

    Raises:
        ExperimentFailure: it was to fail.
        ValueError: there is no such work.
    """
    match work:
        case "wait" | "failing":
            context.wait(seconds)
        case "cpu":
            _repeat(context, seconds, time.thread_time, _count)
        case "image":
            _repeat(context, seconds, time.thread_time, _picture())
        case "noop":
            pass
        case _:
            raise ValueError(f"unknown work: {work}")
    if fails:
        raise ExperimentFailure("as the plan of the experiment has it")


def _repeat(context: Context, seconds: float, clock: Callable[[], float], once: Callable[[], object]) -> None:
    begin, told = clock(), time.monotonic()
    while (done := clock() - begin) < seconds:
        once()
        if time.monotonic() - told >= PROGRESS_SECONDS:
            context.progress(done / seconds)
            told = time.monotonic()


def _count() -> int:
    return sum(range(1_000))


def _picture() -> Callable[[], Image.Image]:
    """A round of work on a picture."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((_SIDE, _SIDE)).convert("RGB").save(file, "JPEG")
    data = file.getvalue()
    return lambda: Image.open(io.BytesIO(data)).filter(ImageFilter.GaussianBlur(2))
