"""Carries status updates from a worker to the API: gathered, kept alive, and spooled when it is away."""

import logging
import random
import secrets
import threading
import time
from datetime import datetime
from typing import Any, Final

from lab.callback_client import CallbackClient, Unreachable, to_json
from lab.clock import now_us, to_iso
from lab.context import Report
from lab.job import Job
from lab.spool import Spool
from lab.status import StatusUpdate, TaskStatus, Verdict

ASK_SECONDS: Final = 3.0
FINAL_SECONDS: Final = 2.0
PROGRESS_SECONDS: Final = 0.2
ADOPT_SECONDS: Final = 5.0
LONGEST_WAIT_SECONDS: Final = 2.0
AWAY_SECONDS: Final = 2.0
BATCH: Final = 500

logger = logging.getLogger(__name__)


class ReportFailed(Exception):
    """A status was neither taken by the API nor by the spool: nothing is known of its fate."""


class _Waiting:
    """An update whose sender waits for the verdict."""

    def __init__(self, update: StatusUpdate, deadline: float) -> None:
        self.update = update
        self.deadline = deadline
        self._done = threading.Event()
        self._verdict: Verdict | None = None

    def answer(self, verdict: Verdict | None) -> None:
        self._verdict = verdict
        self._done.set()

    def wait(self) -> Verdict | None:
        self._done.wait()
        return self._verdict

    @property
    def answered(self) -> bool:
        return self._done.is_set()


class Reporter:
    """Sends updates to `url` (the setting API_URL), from one thread for all jobs of the process.

    Whoever reports while a POST is under way goes with the next one, so that one POST carries many
    updates under load and nobody waits when idle. After a fork the child makes its own Reporter.

    Args:
        url: where to POST `{"updates": […]}`.
        spool: keeps final statuses while the API is away; without one they fail after `final_seconds`.
        ask_seconds: how long a job that starts waits for an answer before it runs unasked.
        final_seconds: how long a final status is tried for before it goes to the spool.
    """

    def __init__(
        self,
        url: str,
        spool: Spool | None = None,
        *,
        ask_seconds: float = ASK_SECONDS,
        final_seconds: float = FINAL_SECONDS,
    ) -> None:
        self._url = url
        self._spool = spool
        self._ask_seconds = ask_seconds
        self._final_seconds = final_seconds
        self._client = CallbackClient(url)
        self._news = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._progress: dict[str, StatusUpdate] = {}
        self._cancelled: set[str] = set()
        self._trouble = False
        self._away_until = 0.0
        self._empty_at = 0.0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the sending thread, which also sends what dead processes left in the spool; the first
        report does it too."""
        with self._news:
            self._ensure_thread()

    def for_job(self, job: Job, worker: str, attempt: int, *, redelivered: bool = False) -> Report:
        """The report function of `job`, run by `worker` for the `attempt`-th time (from 1).

        IN_PROGRESS at the start asks whether to run. When nobody answers, a job runs unasked, save where
        its message was `redelivered`: that may be of a job that has ended, and waits for the answer.
        Progress is sent in the background, the newest of each task. A final status returns once the API
        has taken it or it lies in the spool, and raises ReportFailed where neither is to be had.
        """

        run = secrets.token_hex(8)

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
                run=run,
                first=not redelivered,
            )
            if status is TaskStatus.IN_PROGRESS and progress:
                return self._note_progress(update)
            if status is TaskStatus.IN_PROGRESS:
                return self._ask(update, redelivered)
            return self.settle(update)

        return report

    def settle(self, update: StatusUpdate) -> Verdict:
        """Sends a status that must not be lost; returns once the API or the spool has it.

        Raises:
            ReportFailed: neither takes it.
        """
        with self._news:
            self._progress.pop(update.task_id, None)
        verdict = self._send(update, self._final_seconds)
        if verdict is not None:
            return verdict
        if self._spool is None:
            raise ReportFailed(f"{self._url} does not take status updates, and there is no spool")
        try:
            self._spool.put([to_json(update)])
        except OSError as error:
            raise ReportFailed(f"{self._url} does not take status updates, nor the spool: {error}") from error
        with self._news:
            self._empty_at = 0.0
            self._ensure_thread()
            self._news.notify()
        return Verdict(task_id=update.task_id)

    def cancel(self, task_id: str) -> None:
        """Notes that the task is to be cancelled: its next report is answered so."""
        with self._news:
            self._cancelled.add(task_id)

    def is_cancelled(self, task_id: str) -> bool:
        """Whether the task is known to be cancelled."""
        return task_id in self._cancelled

    def _ask(self, update: StatusUpdate, must_ask: bool) -> Verdict:
        verdict = self._send(update, float("inf") if must_ask else self._ask_seconds)
        if verdict is None:
            logger.warning("the API does not answer; task %s runs unasked", update.task_id)
            verdict = Verdict(task_id=update.task_id)
        return self._marked(verdict)

    def _note_progress(self, update: StatusUpdate) -> Verdict:
        with self._news:
            self._progress[update.task_id] = update
            self._ensure_thread()
            self._news.notify()
        return self._marked(Verdict(task_id=update.task_id))

    def _marked(self, verdict: Verdict) -> Verdict:
        return verdict.model_copy(update={"cancel": True}) if self.is_cancelled(verdict.task_id) else verdict

    def _send(self, update: StatusUpdate, seconds: float) -> Verdict | None:
        """The verdict, or None when there was none in time; at once while the API is known to be away."""
        waiting = _Waiting(update, time.monotonic() + seconds)
        with self._news:
            if time.monotonic() < self._away_until and seconds != float("inf"):
                return None
            self._waiting.append(waiting)
            self._ensure_thread()
            self._news.notify()
        return waiting.wait()

    # The sending thread

    def _ensure_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        pause, progress_at = 0.0, 0.0
        while True:
            with self._news:
                if pause:
                    self._news.wait_for(lambda: False, pause)
                elif not self._waiting:
                    self._news.wait(PROGRESS_SECONDS if self._progress else ADOPT_SECONDS)
                waiting, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                progress: list[StatusUpdate] = []
                if waiting or time.monotonic() >= progress_at:
                    progress, self._progress = list(self._progress.values())[:BATCH], {}
                    progress_at = time.monotonic() + PROGRESS_SECONDS
            try:
                if waiting or progress:
                    self._deliver(waiting, progress)
                if self._spool is not None and time.monotonic() >= self._empty_at:
                    self._empty(self._spool)
                    self._empty_at = time.monotonic() + ADOPT_SECONDS
                pause = 0.0
            except (Unreachable, OSError) as error:
                pause = min(max(pause, 0.05) * 2, LONGEST_WAIT_SECONDS) * random.uniform(0.5, 1.0)
                self._give_up_late(waiting, error)

    def _deliver(self, waiting: list[_Waiting], progress: list[StatusUpdate]) -> None:
        verdicts = self._client.post([*(item.update for item in waiting), *progress])
        self._note_contact()
        for item, verdict in zip(waiting, verdicts, strict=False):
            item.answer(verdict)
        self._cancelled.update(verdict.task_id for verdict in verdicts if verdict.cancel)

    def _give_up_late(self, waiting: list[_Waiting], error: Exception) -> None:
        """Answers those whose time is over, and keeps the others for the next try."""
        if not self._trouble:
            logger.warning("%s does not take status updates: %s", self._url, error)
        self._trouble = True
        now = time.monotonic()
        with self._news:
            waiting = [*(item for item in waiting if not item.answered), *self._waiting]
            self._waiting = [item for item in waiting if item.deadline > now]
            if len(self._waiting) < len(waiting):
                self._away_until = now + AWAY_SECONDS
        for item in waiting:
            if item.deadline <= now:
                item.answer(None)

    def _note_contact(self) -> None:
        if self._trouble:
            logger.warning("%s takes status updates again", self._url)
        self._trouble, self._away_until = False, 0.0

    def _empty(self, spool: Spool) -> None:
        def deliver(lines: list[bytes]) -> None:
            updates = []
            for line in lines:
                try:
                    updates.append(StatusUpdate.model_validate_json(line))
                except ValueError:
                    logger.error("a line of the spool is no status update: %r", line[:200])
            self._client.post(updates)
            self._note_contact()

        sent = spool.send(deliver) + spool.adopt(deliver)
        if sent:
            logger.warning("%d spooled statuses were sent", sent)
