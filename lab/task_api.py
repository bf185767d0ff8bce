"""What a worker asks of the API beyond reporting: in a task's name, with its token, or for beat."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from lab.exchange import beside, exchange

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
