"""Runs a card: baseline, fault, recovery, verdict; the document grows meanwhile."""

from __future__ import annotations

import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pika
import requests

from faults import guard
from faults.document import FaultDocument, FaultPlan, FaultStatus, HistoryEntry, new_document
from faults.judge import Found, disagreements_of, figures_of, final_marks, is_safe, marks_of
from faults.load import Load
from faults.stage import CONCURRENCY, ArmStand, FaultRunCancelled, Stage
from faults.strikes import LATE_LOAD, STRIKES
from harness.faults import FaultError
from harness.node import NodeError
from harness.processes import ProcessError
from lab.broker import amqp
from lab.clock import now_us, to_iso, to_us

LOOK_SECONDS: Final = 0.25
TELL_SECONDS: Final = 0.5
BASELINE_SECONDS: Final = 20.0
BASELINE_SHARE: Final = 0.15
LEAST_RECOVERY: Final = 2.0
QUIET_SECONDS: Final = 7.0
COUNT_EVERY: Final = 2.5
WINDOW_SECONDS: Final = 5.0
LETTERS: Final = 200

OnProgress = Callable[[FaultDocument], None]


class FaultRun:
    """One run of `plan`, in `folder`, which is made for it and goes with it.

    Args:
        on_progress: is given the document as it grows, about twice a second, and at last as it ended.
        cancelled: set from outside to end the run; all of it is gone within three seconds.
    """

    def __init__(
        self, plan: FaultPlan, folder: Path, on_progress: OnProgress, cancelled: threading.Event, run_id: str
    ) -> None:
        self.document = new_document(plan, run_id, to_iso(now_us()))
        self._plan = plan
        self._folder = folder
        self._on_progress = on_progress
        self._cancelled = cancelled
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._zero = 0.0

    def run(self) -> FaultDocument:
        """Runs it to its end, however that comes; nothing is raised but what `on_progress` raises."""
        document = self.document
        os.environ[guard.MARK] = document.id
        self._folder.mkdir(parents=True, exist_ok=True)
        watchman = guard.start(document.id, self._folder)
        threads = [threading.Thread(target=self._end_when_cancelled, name="cancel", daemon=True)]
        threads[0].start()
        document.status = FaultStatus.IN_PROGRESS
        self._on_progress(document)
        status, error = FaultStatus.DONE, None
        try:
            self._play(threads)
        except FaultRunCancelled:
            status = FaultStatus.CANCELLED
        except (
            NodeError,
            ProcessError,
            FaultError,
            RuntimeError,
            OSError,
            requests.RequestException,
        ) as problem:
            status, error = FaultStatus.FAILED, f"{type(problem).__name__}: {problem}"
        finally:
            self._ended.set()
            for thread in threads:
                thread.join(5.0)
            guard.sweep(document.id, self._folder)
            if watchman.stdin is not None:
                watchman.stdin.close()
            watchman.wait()
            del os.environ[guard.MARK]
        document.status, document.error = status, error
        if self._cancelled.is_set() and status is not FaultStatus.DONE:
            document.status, document.error = FaultStatus.CANCELLED, None
        document.ended_at = to_iso(now_us())
        self._on_progress(document)
        return document

    def _end_when_cancelled(self) -> None:
        # What is waited for may take long: it ends at once when the processes that it waits for are gone.
        while not self._ended.wait(0.1):
            if self._cancelled.is_set():
                guard.sweep(self.document.id, self._folder)

    def _play(self, threads: list[threading.Thread]) -> None:
        card, plan, document = self._plan.of_card, self._plan, self.document
        stage = Stage(plan, self._folder, self._cancelled)
        document.struck = stage.struck
        stage.open(
            through_proxy=card.name == "connection-cut",
            on_postgres=card.name == "database-away",
            consumer_timeout=plan.strength if card.name == "long-job" else None,
        )
        document.versions = _versions(stage)
        self._zero = time.monotonic()
        document.begun_at = to_iso(now_us())
        load = Load(stage, document.id, WINDOW_SECONDS)
        load.start()
        for target in (self._tell, self._sample):
            thread = threading.Thread(target=target, args=(stage, load), name=target.__name__, daemon=True)
            thread.start()
            threads.append(thread)
        self._baseline(stage)
        self._phase("baseline", "fault")
        if card.name not in LATE_LOAD:
            load.go_on()
        STRIKES[card.name](stage, load)
        load.go_on()
        self._phase("fault", "recovery")
        self._recover(stage, load)
        self._phase("recovery", None)
        self._ended.set()
        for thread in threads:
            thread.join(5.0)
        self._judge(stage, load)

    def _now(self) -> float:
        return round(time.monotonic() - self._zero, 3)

    def _phase(self, ended: str, begun: str | None) -> None:
        with self._lock:
            now = self._now()
            self.document.phases[ended] = (self.document.phases.get(ended, (0.0, None))[0], now)
            if begun is not None:
                self.document.phases[begun] = (now, None)

    def _baseline(self, stage: Stage) -> None:
        """Waits until each contender has done a part of its jobs; only some of the cards have jobs that are too long
        for that."""
        self.document.phases["baseline"] = (0.0, None)
        wanted = max(2, round(self._plan.jobs * BASELINE_SHARE))

        def well_under_way() -> bool:
            with self._lock:
                marks = self.document.marks
                return all(
                    sum(bool(m.runs) for m in marks.get(arm, ())) >= wanted for arm in self.document.arms
                )

        stage.wait_until(well_under_way, BASELINE_SECONDS)
        stage.pause(min(4.0, max(1.0, 3 * self._plan.seconds)) + stage.rng.random() * 0.5)
        for stand in stage.arms:
            if not self._has_ended(stand.arm, 0.0):
                stage.running_on(stand.workers[0])  # what is struck is at work

    def _recover(self, stage: Stage, load: Load) -> None:
        """Waits until nothing more is to come: all ended, or all quiet with empty queues."""
        begin = time.monotonic()
        deadline = begin + self._patience()
        seen: Mapping[str, tuple[int, float]] = {}
        counted = 0.0
        while time.monotonic() < deadline:
            stage.pause(LOOK_SECONDS)
            now = time.monotonic()
            with self._lock:
                seen = {arm: self._changes(arm, seen.get(arm), now) for arm in self.document.arms}
                open_arms = [
                    arm for arm in self.document.arms if not self._has_ended(arm, now - seen[arm][1])
                ]
            if open_arms or not load.sent or now - begin < LEAST_RECOVERY or now - counted < COUNT_EVERY:
                continue
            counted = now
            if not any(stage.messages().get(stand.queue) for stand in stage.arms):
                return

    def _patience(self) -> float:
        """The card's, or as long as all jobs take on one worker alone where more or longer ones were asked for."""
        plan = self._plan
        return max(plan.of_card.patience, plan.jobs * plan.seconds / CONCURRENCY)

    def _changes(self, arm: str, before: tuple[int, float] | None, now: float) -> tuple[int, float]:
        """How many lines the ledger has of `arm`, and since when."""
        marks = self.document.marks.get(arm, ())
        count = sum(1 + (run[1] is not None) for mark in marks for run in mark.runs)
        return before if before is not None and before[0] == count else (count, now)

    def _has_ended(self, arm: str, quiet: float) -> bool:
        marks = self.document.marks.get(arm, ())
        if all(any(run[1] is not None for run in mark.runs) for mark in marks if mark.job > 0):
            return True
        return quiet > self._plan.seconds + QUIET_SECONDS and (
            not is_safe(arm) or self._plan.of_card.name == "killer-job"
        )

    # What goes on beside

    def _tell(self, stage: Stage, load: Load) -> None:
        while not self._ended.wait(TELL_SECONDS):
            with self._lock:
                self._look(stage, load)
                self._on_progress(self.document)

    def _look(self, stage: Stage, load: Load) -> None:
        """Brings marks and figures up to date."""
        stage.ledger.look()
        now = time.monotonic()
        document = self.document
        for arm, accepted in load.accepted.items():
            marks = marks_of(accepted.nums, stage.ledger, self._zero, now)
            document.marks[arm] = marks
            document.arms[arm] = figures_of(marks, 0, document.phases.get("fault"))

    def _sample(self, stage: Stage, _: Load) -> None:
        while not self._ended.wait(TELL_SECONDS):
            with suppress(*amqp.ERRORS), amqp.connected(stage.node.url, "fault lab") as connection:
                while connection.is_open and not self._ended.wait(TELL_SECONDS):
                    for stand in stage.arms:
                        self._sample_depth(connection, stand)

    def _sample_depth(self, connection: pika.BlockingConnection, stand: ArmStand) -> None:
        try:
            channel = connection.channel()
            ready = int(channel.queue_declare(stand.queue, passive=True).method.message_count)
            channel.close()
        except (*amqp.ERRORS, ValueError):
            return  # the queue is gone, or the broker
        with self._lock:
            self.document.depth.setdefault(stand.arm, []).append((self._now(), ready))

    # The end

    def _judge(self, stage: Stage, load: Load) -> None:
        stage.end_workers()
        stage.pause(1.0)  # the broker takes back what they held
        letters = _letters(stage)
        tasks = {
            num: stage.ask(f"api/tasks/{task_id}")
            for accepted in load.accepted.values()
            for num, task_id in accepted.tasks.items()
        }
        queued = stage.drained()
        self._look(stage, load)
        document = self.document
        for stand in stage.arms:
            accepted = load.accepted[stand.arm]
            of_id = {name: num for num, name in {**accepted.tasks, **accepted.strange}.items()}
            everywhere = {of_id[name] for names in queued.values() for name in names if name in of_id}
            kept = {
                num for num, name in {**accepted.tasks, **accepted.strange}.items() if _has(letters, name)
            }
            found = Found(
                tasks={num: tasks[num] for num in accepted.tasks},
                in_broker=frozenset(everywhere),
                letters=frozenset(kept),
                strangers=sum(name not in of_id for name in queued.get(stand.queue, ())),
            )
            histories = {num: self._history(tasks[num]) for num in accepted.tasks}
            marks = final_marks(document.marks[stand.arm], found, histories)
            confirmed = sum(tasks[num]["published_at"] is not None for num in accepted.tasks)
            document.marks[stand.arm] = marks
            document.arms[stand.arm] = figures_of(
                marks, confirmed + len(accepted.strange), document.phases.get("fault")
            )
            document.disagreements += disagreements_of(stand.arm, marks, found)
        document.agrees = not document.disagreements

    def _history(self, task: Mapping[str, Any]) -> list[HistoryEntry]:
        begun = _us(str(self.document.begun_at))
        return [
            (round((_us(one["recorded_at"]) - begun) / 1e6, 3), one["status"], one["attempt"], one["worker"])
            for one in task["events"]
        ]


def run(
    plan: FaultPlan,
    folder: Path,
    on_progress: OnProgress = lambda _: None,
    cancelled: threading.Event | None = None,
    run_id: str | None = None,
) -> FaultDocument:
    """Runs `plan` in the new folder `folder`, which goes at the end, and returns its document.

    Args and what is kept: as `FaultRun`'s.
    """
    stop = threading.Event() if cancelled is None else cancelled
    return FaultRun(plan, folder, on_progress, stop, run_id or str(uuid.uuid4())).run()


def _us(moment: str) -> int:
    return to_us(datetime.fromisoformat(moment))


def _letters(stage: Stage) -> list[Mapping[str, Any]]:
    with suppress(requests.RequestException):
        return list(stage.ask("api/dead-letters", limit=LETTERS)["dead_letters"])
    return []


def _has(letters: list[Mapping[str, Any]], name: str) -> bool:
    """Whether there is a letter of the task or the strange message `name`."""
    return any(
        letter["task_id"] == name
        or name in str(letter["body"] or "")
        or name.encode().hex() in str(letter["body_hex"] or "")
        for letter in letters
    )


def _versions(stage: Stage) -> dict[str, str]:
    found = {name: version(name) for name in ("celery", "kombu", "pika")}
    found["rabbitmq"] = stage.node.ctl("version").strip().splitlines()[-1]
    found["python"] = platform.python_version()
    return found
