"""A worker's side of a task's files: fetched from the API and delivered to it over HTTP.

Bytes do not travel through the broker, and worker and API share no disk.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import requests

from lab.jobs.task_api import beside, exchange

CONNECT_READ_SECONDS: Final = (5.0, 30.0)
CHUNK_BYTES: Final = 256 * 1024


class FileGone(Exception):
    """The API has no such file for this task, and will not have it later."""


class TaskFiles:
    """The files of the task `task_id`, whose `token` opens them.

    Args:
        api_url: the setting API_URL; the routes of files lie beside it.
    """

    def __init__(self, api_url: str, task_id: str, token: str) -> None:
        self.task_id = task_id
        self._api_url = api_url
        self._token = token

    def fetch(self, target: Path) -> None:
        """Writes the task's input to `target`.

        Raises:
            FileGone: there is none, or not for this token.
            TemporaryError: the API is in trouble.
            requests.RequestException: the API does not answer (an OSError: the job is tried again).
        """
        self._fetch("input", target)

    def fetch_from(self, task_id: str, target: Path) -> None:
        """Writes what an earlier task of the same workflow made to `target`. Raises as `fetch` does."""
        self._fetch(f"files/{task_id}", target)

    def _fetch(self, path: str, target: Path) -> None:
        with self._ask("GET", path) as answer, target.open("wb") as file:
            for chunk in answer.iter_content(CHUNK_BYTES):
                file.write(chunk)

    def deliver(self, source: Path, part: str = "result") -> None:
        """Hands the file `source` over as the task's `part`, "result" or "preview"; delivering it again
        replaces it. Raises as `fetch` does."""
        with source.open("rb") as file, self._ask("PUT", f"output/{part}", data=file):
            pass

    def _ask(self, method: str, path: str, data: object = None) -> AbstractContextManager[requests.Response]:
        url = beside(self._api_url, f"api/tasks/{self.task_id}/{path}")
        headers = {"Authorization": f"Bearer {self._token}"}
        return exchange(method, url, headers, FileGone, data=data, stream=True, timeout=CONNECT_READ_SECONDS)
