"""One POST of status updates to the API, over a kept-alive connection. Only the API's own word is an answer."""

import functools
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

import urllib3
from pydantic import BaseModel

from lab.reporting.api_clock import ApiClock
from lab.reporting.job_report import Line, without_result
from lab.status import API_MARK, API_TIME, UpdateAnswer

TIMEOUT: Final = urllib3.Timeout(connect=2.0, read=5.0)
ANSWER_SECONDS: Final = 8.0
# No gateway refuses a body of this size for its size: that it says so is no reason to give a result up.
SMALL_BYTES: Final = 64 * 1024
MOST_CUTS: Final = 5
TIME_SECONDS: Final = 60.0

_NEVER: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY)

logger = logging.getLogger(__name__)


class _Answer(BaseModel):
    results: list[UpdateAnswer]


class Unreachable(Exception):
    """The API did not take a POST; it may take it later."""


class _Refused(Exception):
    """This POST will never be taken as it is, by the API itself or for its size by what stands before it."""


class _Cut(Unreachable):
    """The connection ended within the exchange."""


class CallbackClient:
    """Speaks to the API's callback at `url`. Belongs to one thread.

    Args:
        url: where to POST.
        answer_seconds: how long one answer may take from the first byte sent to the last byte read.

    Attributes:
        clock: the API's, as its answers tell it.
    """

    def __init__(self, url: str, answer_seconds: float = ANSWER_SECONDS) -> None:
        self.clock = ApiClock()
        at = urllib3.util.parse_url(url)
        self._path = at.request_uri
        self._headers = {"Content-Type": "application/json", **urllib3.util.make_headers(basic_auth=at.auth)}
        self._http = urllib3.connection_from_url(url, timeout=TIMEOUT)
        self._http.ConnectionCls = functools.partial(self._connect, self._http.ConnectionCls)  # type: ignore[assignment]
        self._connection: Any = None
        self._answer_seconds = answer_seconds
        self._late_at = float("inf")
        self._ask_time_at = 0.0
        self._watch: threading.Thread | None = None
        self._cuts = 0

    def post(self, updates: Sequence[Line]) -> list[UpdateAnswer]:
        """The verdicts on `updates`, in their order. Halves a POST that is refused; a single update that is
        refused is told again as FAILED without its result.

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
            verdicts = [self._shortened(updates[0], str(error))]
        for verdict in verdicts:
            if verdict.error:
                logger.warning("the API refuses the status of task %s: %s", verdict.task_id, verdict.error)
        return verdicts

    def ask_time(self) -> None:
        """Asks the API for nothing but its time, where that is not known or old, at most once a minute; no answer is
        no fault."""
        if not self.clock.due or time.monotonic() < self._ask_time_at:
            return
        self._ask_time_at = time.monotonic() + TIME_SECONDS
        with suppress(Unreachable):
            self._answer(b"", "OPTIONS")

    def _shortened(self, update: Line, reason: str) -> UpdateAnswer:
        """The verdict on `update` without its result."""
        short = without_result(update, f"the report of {len(update.json):,} bytes was refused: {reason}")
        if short is None:
            return UpdateAnswer(task_id=update.task_id, error=reason)
        logger.warning("task %s is told as FAILED without its result: %s", update.task_id, reason)
        try:
            return self._exchange([short])[0]
        except _Refused as error:
            return UpdateAnswer(task_id=update.task_id, error=str(error))

    def _exchange(self, updates: Sequence[Line]) -> list[UpdateAnswer]:
        body = b'{"updates":[' + b",".join([update.json for update in updates]) + b"]}"
        small = len(body) <= SMALL_BYTES
        try:
            answer = self._answer(body)
        except _Cut as error:
            # A gateway may cut what is too large for it, and an API that restarts cuts as well: only what is
            # cut again and again is taken for refused.
            self._cuts += not small
            if small or self._cuts < MOST_CUTS:
                raise
            raise _Refused("the way to the API cuts so large a body") from error
        if answer.status == HTTPStatus.OK:
            try:
                verdicts = _Answer.model_validate_json(answer.data).results
            except ValueError as error:
                raise Unreachable("an answer that is not the API's") from error
            if [verdict.task_id for verdict in verdicts] != [update.task_id for update in updates]:
                raise Unreachable("an answer to other updates")
            if not small:
                self._cuts = 0
            return verdicts
        if answer.status in _NEVER and API_MARK in answer.headers:
            raise _Refused(f"the API answers HTTP {answer.status}")
        if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and not small:
            raise _Refused("the way to the API refuses so large a body (HTTP 413)")
        raise Unreachable(f"HTTP {answer.status}")

    def _answer(self, body: bytes, method: str = "POST") -> urllib3.BaseHTTPResponse:
        if self._watch is None:
            self._watch = threading.Thread(target=self._end_late, name="answers", daemon=True)
            self._watch.start()
        self._late_at = late_at = time.monotonic() + self._answer_seconds
        sent_us = self.clock.steady_us()
        try:
            answer = self._http.urlopen(
                method, self._path, body, self._headers, retries=False, redirect=False
            )
            self.clock.note(sent_us, answer.headers.get(API_TIME))
            return answer
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            cut = isinstance(error, urllib3.exceptions.ProtocolError) and time.monotonic() < late_at
            raise (_Cut if cut else Unreachable)(type(error).__name__) from error
        finally:
            self._late_at = float("inf")

    def _connect(self, make: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._connection = make(*args, **kwargs)
        return self._connection

    def _end_late(self) -> None:
        """Ends the connection whose answer takes too long: the timeout of urllib3 holds for each read alone."""
        while True:
            time.sleep(min(1.0, self._answer_seconds / 4))
            if time.monotonic() > self._late_at and (connection := self._connection) is not None:
                with suppress(OSError, AttributeError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
