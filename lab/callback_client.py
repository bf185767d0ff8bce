"""One POST of status updates to the API, over a kept-alive connection."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import urllib3
from pydantic import BaseModel

from lab.lines import Line
from lab.status import Verdict

TIMEOUT: Final = urllib3.Timeout(connect=2.0, read=5.0)

_NEVER: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY)

logger = logging.getLogger(__name__)


class _Answer(BaseModel):
    results: list[Verdict]


class Unreachable(Exception):
    """The API did not take a POST; it may take it later."""


class _Refused(Exception):
    """The API answered that it will never take this POST."""


class CallbackClient:
    """Speaks to the API's callback at `url`. Belongs to one thread."""

    def __init__(self, url: str) -> None:
        at = urllib3.util.parse_url(url)
        self._path = at.request_uri
        self._headers = {"Content-Type": "application/json", **urllib3.util.make_headers(basic_auth=at.auth)}
        self._pool = urllib3.connection_from_url(url, timeout=TIMEOUT)

    def post(self, updates: Sequence[Line]) -> list[Verdict]:
        """The verdicts on `updates`, in their order; halves a POST that is too large for the API.

        Raises:
            Unreachable: there is no answer, or one that does not count.
        """
        if not updates:
            return []
        try:
            verdicts = self._exchange(updates)
        except _Refused as error:
            if len(updates) > 1:
                half = len(updates) // 2
                return [*self.post(updates[:half]), *self.post(updates[half:])]
            verdicts = [Verdict(task_id=updates[0].task_id, error=str(error))]
        for verdict in verdicts:
            if verdict.error:
                logger.warning("the API refuses the status of task %s: %s", verdict.task_id, verdict.error)
        return verdicts

    def _exchange(self, updates: Sequence[Line]) -> list[Verdict]:
        body = b'{"updates":[' + b",".join([update.json for update in updates]) + b"]}"
        try:
            answer = self._pool.urlopen(
                "POST", self._path, body, self._headers, retries=False, redirect=False
            )
            if answer.status == HTTPStatus.OK:
                verdicts = _Answer.model_validate_json(answer.data).results
                if len(verdicts) == len(updates):
                    return verdicts
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise Unreachable(type(error).__name__) from error
        if answer.status in _NEVER:
            raise _Refused(f"HTTP {answer.status}")
        raise Unreachable(f"HTTP {answer.status}")
