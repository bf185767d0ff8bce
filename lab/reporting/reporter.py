"""Carries status updates from a worker to the API: gathered, kept alive, and spooled when it is away."""

import logging
import queue
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from lab.jobs.context import Report
from lab.reporting.callback_client import CallbackClient, Unreachable
from lab.reporting.job_report import Entitled, Line, Stamp, WaitingStamps, head_of, report_of
from lab.reporting.spool import FULL_DISK, Spool
from lab.status import UpdateAnswer

ASK_SECONDS: Final = 3.0
FINAL_SECONDS: Final = 2.0
PROGRESS_SECONDS: Final = 0.2
ADOPT_SECONDS: Final = 5.0
LONGEST_WAIT_SECONDS: Final = 2.0
AWAY_SECONDS: Final = 2.0
BATCH: Final = 1000
MOST_CANCELLED: Final = 100_000
# Between few and many updates in a POST others are about to follow: they go together for so long a pause.
FEW: Final = 4
MANY: Final = 100
GATHER_SECONDS: Final = 0.005

logger = logging.getLogger(__name__)


class ReportFailed(Exception):
    """A status was neither taken by the API nor by the spool: nothing is known of its fate."""


class Waiting:
    """Updates whose sender waits for the verdicts until `deadline` (monotonic seconds); None if none came in time."""

    __slots__ = ("_on_answer", "answered", "deadline", "lines")

    def __init__(
        self, lines: Sequence[Line], deadline: float, on_answer: Callable[[list[UpdateAnswer] | None], object]
    ) -> None:
        self.lines = lines
        self.deadline = deadline
        self.answered = False
        self._on_answer = on_answer

    def answer(self, verdicts: list[UpdateAnswer] | None) -> None:
        self.answered = True
        self._on_answer(verdicts)


class Recent:
    """A set that forgets: the ids that were added last, `most` of them. Threads may share one, by the interpreter's
    lock."""

    def __init__(self, most: int = MOST_CANCELLED) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._most = most

    def add(self, name: str) -> None:
        """Takes `name` in; the oldest goes where there are too many."""
        self._ids[name] = None
        if len(self._ids) > self._most:
            self._ids.popitem(last=False)

    def update(self, names: Iterable[str]) -> None:
        """Takes all of `names` in."""
        for name in names:
            self.add(name)

    def __contains__(self, name: str) -> bool:
        return name in self._ids


class Reporter:
    """Sends updates to `url` (the setting API_URL), from one thread for all jobs of the process.

    Anyone who reports while a POST is under way goes with the next one, so that one POST carries many
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
        self.clock = self._client.clock
        self._news = threading.Condition()
        self._asked: list[Waiting] = []
        self._progress: dict[str, Line] = {}
        self._stamps = WaitingStamps()
        self._cancelled = Recent()
        self._trouble = False
        self._away_until = 0.0
        self._empty_at = 0.0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the sending thread, which also sends what dead processes left in the spool; the first
        report does it too."""
        with self._news:
            self._ensure_thread()

    def for_job(self, job: Entitled, worker: str, attempt: int, *, redelivered: bool = False) -> Report:
        """The report function of `job`, run by `worker` for the `attempt`-th time (from 1)."""
        return report_of(self, job, worker, attempt, redelivered=redelivered)

    def ask(self, lines: Sequence[Line], *, must: bool = False) -> list[UpdateAnswer]:
        """Tells that jobs begin, and returns for each whether it is to run: unasked, where nobody answers in
        time; `must` waits for ever."""
        answer: queue.SimpleQueue[list[UpdateAnswer]] = queue.SimpleQueue()
        self.ask_later(lines, answer.put, must=must)
        return answer.get()

    def ask_later(
        self, lines: Sequence[Line], on_answer: Callable[[list[UpdateAnswer]], object], *, must: bool = False
    ) -> None:
        """`ask` that does not wait: the answer comes from the sending thread, or at once."""

        def answered(verdicts: list[UpdateAnswer] | None) -> None:
            if verdicts is None:
                logger.warning("the API does not answer; task %s runs unasked", lines[0].task_id)
                verdicts = [UpdateAnswer(task_id=line.task_id) for line in lines]
            on_answer([self._marked(verdict) for verdict in verdicts])

        self._send(lines, float("inf") if must else self._ask_seconds, answered)

    def settle(self, lines: Sequence[Line]) -> list[UpdateAnswer]:
        """Sends statuses that must not be lost; returns once the API or the spool has them all.

        Raises:
            ReportFailed: neither takes them.
        """
        answer: queue.SimpleQueue[list[UpdateAnswer] | ReportFailed] = queue.SimpleQueue()
        self.settle_later(lines, answer.put)
        found = answer.get()
        if isinstance(found, ReportFailed):
            raise found
        return found

    def settle_later(
        self, lines: Sequence[Line], on_answer: Callable[[list[UpdateAnswer] | ReportFailed], object]
    ) -> None:
        """`settle` that does not wait: the answer comes from the sending thread, or at once."""
        with self._news:
            for line in lines:
                self._progress.pop(line.task_id, None)

        def answered(verdicts: list[UpdateAnswer] | None) -> None:
            found = self._put_by(lines) if verdicts is None else verdicts
            if found is not None:
                on_answer(found)
            else:
                self._send(lines, float("inf"), answered)

        self._send(lines, self._final_seconds, answered)

    def _put_by(self, lines: Sequence[Line]) -> list[UpdateAnswer] | ReportFailed | None:
        if self._spool is None:
            return ReportFailed(f"{self._url} does not take status updates, and there is no spool")
        try:
            self._spool.put([line.json for line in lines])
        except OSError as error:
            failed = ReportFailed(f"{self._url} does not take status updates, nor the spool: {error}")
            return None if error.errno in FULL_DISK else failed  # a full disk passes: the API is waited for
        self._empty_at = 0.0
        return [UpdateAnswer(task_id=line.task_id) for line in lines]

    def note_progress(self, line: Line) -> UpdateAnswer:
        """Has progress sent in the background; only the newest of each task counts."""
        with self._news:
            self._progress[line.task_id] = line
            self._ensure_thread()
            self._news.notify()
        return self._marked(UpdateAnswer(task_id=line.task_id))

    def stamp(self, stamp: Stamp | Line) -> None:
        """Has a stamp sent in the background, many together; waits for nothing. They are kept in memory while the
        API is away, and the oldest are dropped where there are more than 200,000."""
        with self._news:
            if self._stamps.add(stamp):
                self._ensure_thread()
                self._news.notify()

    def flush(self, seconds: float) -> bool:
        """Waits until all stamps were sent, at most `seconds`; whether they were. Call it before the process ends."""
        deadline = time.monotonic() + seconds
        with self._news:
            self._stamps.hurry()
            self._news.notify()
        while time.monotonic() < deadline:
            with self._news:
                if not self._stamps:
                    return True
            time.sleep(0.01)
        return False

    def cancel(self, task_id: str) -> None:
        """Notes that the task is to be cancelled: its next report is answered so."""
        with self._news:
            self._cancelled.add(task_id)

    def is_cancelled(self, task_id: str) -> bool:
        """Whether the task is known to be cancelled."""
        return task_id in self._cancelled

    def _marked(self, verdict: UpdateAnswer) -> UpdateAnswer:
        return verdict.model_copy(update={"cancel": True}) if self.is_cancelled(verdict.task_id) else verdict

    def _send(
        self, lines: Sequence[Line], seconds: float, on_answer: Callable[[list[UpdateAnswer] | None], object]
    ) -> None:
        """Has `lines` sent; None is answered at once while the API is known to be away."""
        with self._news:
            away = time.monotonic() < self._away_until and seconds != float("inf")
            if not away:
                self._asked.append(Waiting(lines, time.monotonic() + seconds, on_answer))
            self._ensure_thread()
            self._news.notify()
        if away:
            on_answer(None)

    # The sending thread

    def _ensure_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        self._client.ask_time()
        pause, progress_at = 0.0, 0.0
        while True:
            with self._news:
                if pause:
                    self._news.wait_for(lambda: False, pause)
                elif not self._asked:
                    self._news.wait(self._idle_seconds())
                waiting = self._gather()
                progress: list[Line] = []
                if waiting or time.monotonic() >= progress_at:
                    room = max(0, BATCH - sum(len(item.lines) for item in waiting))
                    progress = [self._progress.pop(task_id) for task_id in list(self._progress)[:room]]
                    progress_at = time.monotonic() + PROGRESS_SECONDS
                room = BATCH - len(progress) - sum(len(item.lines) for item in waiting)
                stamps = self._stamps.take(room, enough=BATCH)
            try:
                if waiting or progress or stamps:
                    encoded = [one.line() if isinstance(one, Stamp) else one for one in stamps]
                    self._deliver(waiting, [*progress, *encoded])
                with self._news:
                    self._stamps.sent()
                stamps = []
                if not waiting:
                    self._client.ask_time()
                if self._spool is not None and time.monotonic() >= self._empty_at:
                    self._empty(self._spool)
                    self._empty_at = time.monotonic() + ADOPT_SECONDS
                pause = 0.0
                if FEW < sum(len(item.lines) for item in waiting) < MANY:
                    time.sleep(GATHER_SECONDS)
            except (Unreachable, OSError) as error:
                pause = min(max(pause, 0.05) * 2, LONGEST_WAIT_SECONDS) * random.uniform(0.5, 1.0)
                self._give_up_late(waiting, error)
                with self._news:
                    self._stamps.put_back(stamps)

    def _idle_seconds(self) -> float:
        """For how long there is nothing to send; while the lock is held."""
        return min(PROGRESS_SECONDS if self._progress else ADOPT_SECONDS, self._stamps.seconds())

    def _gather(self) -> list[Waiting]:
        """Takes who waits, as many as one POST carries; while the lock is held."""
        taken, count = 0, 0
        for waiting in self._asked:
            count += len(waiting.lines)
            if taken and count > BATCH:
                break
            taken += 1
        gathered, self._asked = self._asked[:taken], self._asked[taken:]
        return gathered

    def _deliver(self, waiting: list[Waiting], unasked: list[Line]) -> None:
        verdicts = self._client.post([line for item in waiting for line in item.lines] + unasked)
        self._note_contact()
        self._cancelled.update([verdict.task_id for verdict in verdicts if verdict.cancel])
        end = 0
        for item in waiting:
            begin, end = end, end + len(item.lines)
            item.answer(verdicts[begin:end])

    def _give_up_late(self, waiting: list[Waiting], error: Exception) -> None:
        """Answers those whose time is over, and keeps the others for the next try."""
        if not self._trouble:
            logger.warning("%s does not take status updates: %s", self._url, error)
        self._trouble = True
        now = time.monotonic()
        with self._news:
            waiting = [*(item for item in waiting if not item.answered), *self._asked]
            self._asked = [item for item in waiting if item.deadline > now]
            if len(self._asked) < len(waiting):
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
                    updates.append(Line(head_of(line)["task_id"], line))
                except ValueError:
                    logger.error("a line of the spool is no status update: %r", line[:200])
            self._client.post(updates)
            self._note_contact()

        sent = spool.send(deliver) + spool.adopt(deliver)
        if sent:
            logger.warning("%d spooled statuses were sent", sent)
