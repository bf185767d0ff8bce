"""What a worker asks of the API beyond reporting: in a task's name, with its token, or for beat."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote, urljoin

import requests

from lab.jobs.context import TemporaryError

CONNECT_READ_SECONDS: Final = (5.0, 60.0)


class Refused(Exception):
    """The API will not do what it was asked for, now or later."""


class TaskAPI:
    """The API as the task `task_id` may use it, whose `token` opens what belongs to its kind.

    Args:
        api_url: the setting API_URL; the other routes lie beside it.
    """

    def __init__(self, api_url: str, task_id: str, token: str) -> None:
        self._api_url = api_url
        self._task_id = task_id
        self._token = token

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """POSTs `body` to the task's own `path`, and returns the answer's JSON.

        Raises:
            Refused: the API says no.
            TemporaryError: the API is in trouble.
            requests.RequestException: it does not answer (an OSError: the job is tried again).
        """
        own = beside(self._api_url, f"api/tasks/{quote(self._task_id, safe='')}/{path}")
        return _post(own, body, {"Authorization": f"Bearer {self._token}"})


def tell_due(api_url: str, entry: str) -> Any:
    """Tells the API that beat found `entry` of the schedule due. Returns the run that it made of it, or
    None where this due time has its run already. Raises as `TaskAPI.post` does."""
    return _post(beside(api_url, f"api/schedule/{quote(entry, safe='')}/due"), None, {})["run"]


def _post(url: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]) -> Any:
    with exchange("POST", url, headers, Refused, json=body, timeout=CONNECT_READ_SECONDS) as answer:
        return answer.json()


def beside(api_url: str, path: str) -> str:
    """The address of `path` at the API whose callback is at `api_url` (the setting API_URL)."""
    return urljoin(f"{api_url.rstrip('/')}/", f"../{path}")


@contextmanager
def exchange(
    method: str, url: str, headers: Mapping[str, str], refused: type[Exception], **options: Any
) -> Iterator[requests.Response]:
    """The API's answer, for as long as the block lasts. `options` are those of `requests.Session.request`.

    Raises:
        refused: the API says no.
        TemporaryError: the API is in trouble.
        requests.RequestException: it does not answer (an OSError: the job is tried again).
    """
    with requests.Session() as session:
        session.trust_env = False
        with session.request(method, url, headers=headers, allow_redirects=False, **options) as answer:
            told = f"HTTP {answer.status_code} from the API for {url}"
            if answer.status_code >= 500 or answer.status_code == 429:
                raise TemporaryError(told)
            if answer.status_code >= 300:
                raise refused(f"{told}: {_detail(answer)}")
            yield answer


def _detail(answer: requests.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.reason
