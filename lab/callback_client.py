"""One POST of status updates to the API, over a kept-alive connection."""

import logging
from collections.abc import Sequence
from typing import Final

import requests
from pydantic import BaseModel

from lab.lines import Line
from lab.status import Verdict

CONNECT_READ_SECONDS: Final = (2.0, 5.0)

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
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False

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
            answer = self._session.post(
                self._url,
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=CONNECT_READ_SECONDS,
                allow_redirects=False,
            )
            if answer.status_code == requests.codes.ok:
                verdicts = _Answer.model_validate_json(answer.content).results
                if len(verdicts) == len(updates):
                    return verdicts
        except (requests.RequestException, ValueError) as error:
            raise Unreachable(type(error).__name__) from error
        if answer.status_code in (400, 413, 422):
            raise _Refused(f"HTTP {answer.status_code}")
        raise Unreachable(f"HTTP {answer.status_code}")
