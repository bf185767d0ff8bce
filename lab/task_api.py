"""What a worker asks of the API beyond reporting: in a task's name, with its token, or for beat."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urljoin

import requests

from lab.context import TemporaryError

CONNECT_READ_SECONDS: Final = (5.0, 60.0)


class Refused(Exception):
    """The API will not do what it was asked for, now or later."""


class TaskAPI:
    """The API as the task `task_id` may use it, whose `token` opens what belongs to its kind.

    Args:
        api_url: the setting API_URL; the other routes lie beside it.
    """

    def __init__(self, api_url: str, task_id: str, token: str) -> None:
        self._base = _beside(api_url, f"api/tasks/{quote(task_id, safe='')}/")
        self._headers = {"Authorization": f"Bearer {token}"}

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """POSTs `body` to the task's own `path`, and returns the answer's JSON.

        Raises:
            Refused: the API says no.
            TemporaryError: the API is in trouble.
            requests.RequestException: it does not answer (an OSError: the job is tried again).
        """
        return _post(urljoin(self._base, path), body, self._headers)


def tell_due(api_url: str, entry: str) -> Any:
    """Tells the API that beat found `entry` of the schedule due. Returns the run that it made of it, or
    None where this due time has its run already. Raises as `TaskAPI.post` does."""
    return _post(_beside(api_url, f"api/schedule/{quote(entry, safe='')}/due"), None, {})["run"]


def _beside(api_url: str, path: str) -> str:
    return urljoin(f"{api_url.rstrip('/')}/", f"../{path}")


def _post(url: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]) -> Any:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(
            url, json=body, headers=headers, timeout=CONNECT_READ_SECONDS, allow_redirects=False
        )
        if answer.status_code >= 500 or answer.status_code == 429:
            raise TemporaryError(f"HTTP {answer.status_code} from the API")
        if answer.status_code >= 300:
            raise Refused(f"HTTP {answer.status_code} from the API: {_detail(answer)}")
        return answer.json()


def _detail(answer: requests.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.reason
