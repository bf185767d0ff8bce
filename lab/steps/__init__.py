"""The steps of workflows: list paths, fetch what they name, transform it, put the results together."""

from collections.abc import Callable
from typing import Any, Final

from lab.steps.dmap import dmap
from lab.steps.download import download, download_data, download_file, download_s3, download_web
from lab.steps.failing import failing_step
from lab.steps.paths import list_paths
from lab.steps.texts import count_words, merge_files, write_paths

STEPS: Final[dict[str, Callable[..., Any]]] = {
    step.__name__: step
    for step in (
        list_paths,
        download,
        download_file,
        download_data,
        download_web,
        download_s3,
        count_words,
        write_paths,
        merge_files,
        failing_step,
        dmap,
    )
}
