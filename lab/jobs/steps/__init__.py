"""The steps of workflows: list paths, fetch what they name, transform it, put the results together."""

from collections.abc import Callable
from typing import Any, Final

from lab.jobs.context import Context
from lab.jobs.steps.download import (
    download,
    download_azure,
    download_data,
    download_file,
    download_gcp,
    download_s3,
    download_web,
)
from lab.jobs.steps.paths import list_paths
from lab.jobs.steps.texts import count_words, merge_files, write_paths


class StepFailed(Exception):
    """A step was asked to fail, and did."""


def failing_step(context: Context, given: Any) -> None:  # noqa: ARG001 - as every step is called
    """Fails for good, whatever it is given.

    Raises:
        StepFailed: always.
    """
    raise StepFailed("this step was asked to fail")


def dmap(context: Context, items: list[Any]) -> list[str]:
    """Has the API make a task for each of `items`, as the workflow's plan says, and returns their names.

    Asked again, after a redelivery, it gets the same ones. Celery's task of this name replaces itself by
    them; by hand there is none, since the store makes the tasks when the list arrives.
    """
    if context.api is None:
        raise TypeError("dmap needs the API")
    return [made["node"] for made in context.api.post("nodes", {"items": items})["nodes"]]


STEPS: Final[dict[str, Callable[..., Any]]] = {
    step.__name__: step
    for step in (
        list_paths,
        download,
        download_file,
        download_data,
        download_web,
        download_s3,
        download_gcp,
        download_azure,
        count_words,
        write_paths,
        merge_files,
        failing_step,
        dmap,
    )
}
