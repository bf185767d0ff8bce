"""Carries status updates from a worker to the API, over a kept-alive connection."""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import requests

from lab.clock import now_us, to_iso
from lab.job import Job, Report
from lab.status import StatusUpdate, TaskStatus, Verdict

CONNECT_READ_SECONDS: Final = (2.0, 10.0)
ASK_SECONDS: Final = 3.0
FINAL_SECONDS: Final = 60.0
PROGRESS_PAUSE_SECONDS: Final = 0.2

logger = logging.getLogger(__name__)


class ReportFailed(Exception):
    """The API did not accept an update in the time given; nothing is known of its fate."""


class Reporter:
    """Sends updates to `url` (the setting API_URL).

    Threads may share one: each has a connection of its own. After a fork the child makes its own
    Reporter, because the thread that sends progress stays behind in the parent.

    Args:
        url: where to POST `{"updates": […]}`.
        ask_seconds: how long a job that starts waits for an answer before it runs unasked.
        final_seconds: how long a final status is tried for before `ReportFailed`.
        sleep: waits between tries; tests pass their own.
    """

    def __init__(
        self,
        url: str,
        *,
        ask_seconds: float = ASK_SECONDS,
        final_seconds: float = FINAL_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url
        self._ask_seconds = ask_seconds
        self._final_seconds = final_seconds
        self._sleep = sleep
        self._local = threading.local()
        self._lock = threading.Lock()
        self._progress: dict[str, StatusUpdate] = {}
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def for_job(self, job: Job, worker: str, attempt: int) -> Report:
        """The report function of `job`, run by `worker` for the `attempt`-th time (from 1).

        IN_PROGRESS at the start asks whether to run, and runs unasked when nobody answers; progress is
        sent in the background, the newest of each task every 0.2 s at most; a final status returns only
        once the API has accepted it, or raises ReportFailed.
        """

        def report(
            status: TaskStatus,
            *,
            progress: float | None = None,
            result: Any = None,
            error: str | None = None,
        ) -> Verdict:
            update = StatusUpdate(
                task_id=job.task_id,
                status=status,
                token=job.token,
                attempt=attempt,
                worker=worker,
                at=datetime.fromisoformat(to_iso(now_us())),
                progress=progress,
                result=result,
                error=error,
            )
            if status is TaskStatus.IN_PROGRESS and progress:
                return self._later(update)
            return self._now(update)

        return report

    def send(self, updates: Sequence[StatusUpdate], seconds: float) -> list[Verdict]:
        """Sends `updates` in one POST, trying for `seconds`; the answers come in the same order.

        Raises:
            ReportFailed: the API could not be reached, or answered with something else than 200.
        """
        body = {"updates": [update.model_dump(mode="json", exclude_none=True) for update in updates]}
        deadline = time.monotonic() + seconds
        wait = 0.1
        while True:
            try:
                answer = self._session().post(self._url, json=body, timeout=CONNECT_READ_SECONDS)
                if answer.status_code == requests.codes.ok:
                    verdicts = [Verdict.model_validate(item) for item in answer.json()["results"]]
                    if len(verdicts) == len(updates):
                        return verdicts
                trouble = f"HTTP {answer.status_code}"
            except (requests.RequestException, ValueError, KeyError, TypeError) as error:
                trouble = type(error).__name__
            if time.monotonic() + wait > deadline:
                raise ReportFailed(f"{self._url} does not accept status updates: {trouble}")
            self._sleep(wait * random.uniform(0.5, 1.5))
            wait = min(wait * 2, 5.0)

    def _now(self, update: StatusUpdate) -> Verdict:
        with self._lock:
            self._progress.pop(update.task_id, None)
        if update.status.final:
            return self._judge(self.send([update], self._final_seconds)[0])
        try:
            return self._judge(self.send([update], self._ask_seconds)[0])
        except ReportFailed as error:
            logger.warning("%s; the job runs all the same", error)
            return Verdict(task_id=update.task_id)

    def _judge(self, verdict: Verdict) -> Verdict:
        if verdict.error:
            logger.warning("the API refuses the status of task %s: %s", verdict.task_id, verdict.error)
        return verdict

    def _later(self, update: StatusUpdate) -> Verdict:
        with self._lock:
            self._progress[update.task_id] = update
            if self._thread is None:
                self._thread = threading.Thread(target=self._send_progress, name="progress", daemon=True)
                self._thread.start()
        self._wake.set()
        return Verdict(task_id=update.task_id, applied=False)

    def _send_progress(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                updates = list(self._progress.values())
                self._progress.clear()
            if updates:
                try:
                    self.send(updates, 0.0)
                except ReportFailed as error:
                    logger.debug("progress not sent: %s", error)
            self._sleep(PROGRESS_PAUSE_SECONDS)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False
            self._local.session = session
        return session
