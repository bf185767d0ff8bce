"""The verdict of a run: which accepted tasks were lost, duplicated or recovered, and who says so.

The words are those of RabbitMQ's own Jepsen suite (https://github.com/rabbitmq/jepsen).
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import requests

from harness.lab import Lab
from lab.status import TaskStatus

Task = Mapping[str, Any]
POLL_SECONDS: Final = 0.2

_STAMP = r"^\[(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[^\]]*\] [^:]*: "
_LINES: Final = {
    "started": re.compile(_STAMP + r"(?:Начало обработки задачи|Started task) (?P<num>\d+)$"),
    "finished": re.compile(
        _STAMP + r"(?:Задача (?P<num>\d+) завершена успешно|Finished task (?P<num2>\d+))$"
    ),
}


class LogEntry(NamedTuple):
    """A line of a worker's log about one job: `kind` is "started" or "finished", `at` in whole seconds
    since the epoch, `place` its order within the log of `worker`."""

    num: int
    kind: str
    at: int
    worker: str
    place: int


class Death(NamedTuple):
    """Something of `worker` was killed at `at` (seconds since the epoch): it, or a process of its pool."""

    worker: str
    at: float


@dataclass(frozen=True)
class LedgerVerdict:
    """What became of the accepted tasks, as sets of their ids.

    Attributes:
        accepted: submissions that were answered 202.
        lost: without a final status when all was quiet, or FAILED since the API found it to be lost.
        duplicated: more than one final event in the store, or a run that began after the final event,
            or, by the workers' logs, a run that began after a successful end that was reported.
        recovered: done in an attempt later than the first.
        failed, cancelled: ended so; by right or not is for the test to say.
        rerun: whose run began more than once by the logs, for whatever reason.
        rerun_after_an_unreported_end: ran again after a successful end of which the store heard nothing,
            because its worker died first. No method can do better: nobody but the dead knew.
        overlapped: ran twice at the same time and both came to an end, as when a worker that was taken
            for dead went on. The store took the first end and refused the other.
    """

    accepted: frozenset[str]
    lost: frozenset[str]
    duplicated: frozenset[str]
    recovered: frozenset[str]
    failed: frozenset[str]
    cancelled: frozenset[str]
    rerun: frozenset[str]
    rerun_after_an_unreported_end: frozenset[str]
    overlapped: frozenset[str]
    histories: Mapping[str, Sequence[str]] = field(repr=False)

    @property
    def clean(self) -> bool:
        """Whether nothing was lost and no effect came twice."""
        return not self.lost and not self.duplicated

    def __str__(self) -> str:
        lines = [", ".join(f"{len(getattr(self, name))} {name.replace('_', ' ')}" for name in _SETS)]
        for found in (self.lost, self.duplicated, self.overlapped):
            for task_id in sorted(found)[:2]:
                lines += [f"{task_id}:", *(f"  {line}" for line in self.histories[task_id])]
        return "\n".join(lines)


_SETS: Final = tuple(one.name for one in fields(LedgerVerdict) if one.name != "histories")


class LabLedger:
    """Accepted tasks of `lab` on one side, their effects on the other.

    Two witnesses are heard. The store tells of statuses; but it is idempotent by design, and would hide a
    job that was run twice. So the workers' logs are counted as well, by task number, which no database
    smooths over.

    By the logs a job that came to a successful end twice is a *doubled effect*, with two exceptions,
    each counted by itself. If the store's final event is not the first end's, and the first end's
    worker died afterwards and before the next run began, the end was *unreported* and to run again
    was right. If the second run began before the first one ended, they *overlapped*.

    A log's times are whole seconds; within one log its order decides. Across two logs a run counts as
    begun after an end only when its second is a later one, so that no verdict rests on a tie; where it is
    the same one, and the first worker died then with its end unreported, it began after that.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._accepted: dict[str, int] = {}
        self._deaths: list[Death] = []

    @property
    def ids(self) -> list[str]:
        """The accepted tasks, in the order of their submission."""
        return list(self._accepted)

    def submit(self, method: str, timeout: float, count: int = 1, **fields: Any) -> list[str]:
        """Submits tasks and enters those that were accepted; returns their ids.

        Raises requests.RequestException where the answer was another; such tasks are not entered.
        """
        return self.accept(self._lab.submit(method, timeout, count, **fields))

    def accept(self, tasks: Iterable[Task]) -> list[str]:
        """Enters tasks from an answer of 202; returns their ids."""
        entered = {str(task["id"]): int(task["num"]) for task in tasks}
        self._accepted |= entered
        return list(entered)

    def died(self, worker: str, at: float | None = None) -> None:
        """Says that the worker whose log is `worker`.log, or one of its processes, was killed (now)."""
        self._deaths.append(Death(worker, time.time() if at is None else at))

    def settle(self, timeout: float = 60.0, quiet: float = 30.0) -> LedgerVerdict:
        """Waits as the function `settle` does, then gives the verdict."""
        return self.verdict(settle(self._lab, self.ids, timeout, quiet))

    def verdict(self, tasks: Mapping[str, Task] | None = None) -> LedgerVerdict:
        """The verdict on `tasks`, as the API showed them (default: as it shows them now)."""
        found = settle(self._lab, self.ids, timeout=0.0) if tasks is None else tasks
        logs = [Path(worker.log) for worker in self._lab.workers]
        return judge(self._accepted, found, read_logs(logs), self._deaths)


def settle(
    lab: Lab, ids: Sequence[str], timeout: float = 60.0, quiet: float = 30.0
) -> dict[str, dict[str, Any]]:
    """Waits until all of `ids` are final, or none of them changed for `quiet` seconds, `timeout` at most.

    Returns the tasks as GET /api/tasks/<id> showed them last. An API that is away is asked again.
    """
    seen: dict[str, dict[str, Any]] = {}
    deadline = time.monotonic() + timeout
    changed = time.monotonic()
    while True:
        for task_id in ids:
            before = seen.get(task_id)
            if before is not None and TaskStatus(before["status"]).final:
                continue
            try:
                seen[task_id] = lab.task(task_id)
            except requests.RequestException:
                break
            if before is None or before["events"] != seen[task_id]["events"]:
                changed = time.monotonic()
        left = [i for i in ids if i not in seen or not TaskStatus(seen[i]["status"]).final]
        now = time.monotonic()
        if not left or now > deadline or (now - changed > quiet and len(seen) == len(ids)):
            return seen
        time.sleep(POLL_SECONDS)


def read_logs(logs: Iterable[Path]) -> list[LogEntry]:
    """What workers' logs tell of jobs' starts and successful ends, in either of the lab's languages."""
    entries = []
    for log in dict.fromkeys(logs):
        if not log.exists():
            continue
        for place, line in enumerate(log.read_text(errors="replace").splitlines()):
            for kind, pattern in _LINES.items():
                if match := pattern.match(line):
                    at = int(datetime.strptime(match["at"], "%Y-%m-%d %H:%M:%S").timestamp())
                    num = match["num"] or match["num2"] if kind == "finished" else match["num"]
                    entries.append(LogEntry(int(num), kind, at, log.stem, place))
    return entries


def judge(
    accepted: Mapping[str, int],
    tasks: Mapping[str, Task],
    entries: Iterable[LogEntry] = (),
    deaths: Iterable[Death] = (),
) -> LedgerVerdict:
    """The verdict: `accepted` are ids and numbers, `tasks` what the API shows of them.

    A task that the API does not show is lost.
    """
    by_num: dict[int, list[LogEntry]] = defaultdict(list)
    for entry in entries:
        by_num[entry.num].append(entry)
    killed = list(deaths)
    found: dict[str, set[str]] = defaultdict(set)
    for task_id, num in accepted.items():
        found["accepted"].add(task_id)
        own = by_num[num]
        if sum(entry.kind == "started" for entry in own) > 1:
            found["rerun"].add(task_id)
        events: Sequence[Task] = tasks[task_id]["events"] if task_id in tasks else ()
        finals = [event for event in events if TaskStatus(event["status"]).final]
        for name in {*_by_the_store(events, finals), *_by_the_logs(own, next(iter(finals), None), killed)}:
            found[name].add(task_id)
    return LedgerVerdict(
        **{name: frozenset(found[name]) for name in _SETS},
        histories={i: _history(tasks.get(i), by_num[num]) for i, num in accepted.items()},
    )


def _by_the_store(events: Sequence[Task], finals: Sequence[Task]) -> set[str]:
    if not finals or str(finals[0].get("error")).startswith("lost: "):
        return {"lost"}
    final, names = finals[0], set()
    after = events[list(events).index(final) + 1 :]
    if len(finals) > 1 or any(event["status"] == TaskStatus.IN_PROGRESS for event in after):
        names.add("duplicated")
    if final["status"] == TaskStatus.DONE and final["attempt"] > 1:
        names.add("recovered")
    if final["status"] in (TaskStatus.FAILED, TaskStatus.CANCELLED):
        names.add(str(final["status"]).lower())
    return names


def _by_the_logs(own: Sequence[LogEntry], final: Task | None, deaths: Sequence[Death]) -> set[str]:
    ends = sorted((e for e in own if e.kind == "finished"), key=lambda e: (e.at, e.place))
    starts = [e for e in own if e.kind == "started"]
    names = set()
    for end in ends:
        for start in starts:
            excused = not _reported(end, final) and any(
                death.worker == end.worker and end.at <= death.at <= start.at + 1 for death in deaths
            )
            tied = start.at == end.at and start.worker != end.worker
            if _after(start, end) or (tied and excused):
                names.add("rerun_after_an_unreported_end" if excused else "duplicated")
    # Also where the first end was never logged: its worker may have been killed between the two.
    if final is not None and any(start.at > _seconds(final["recorded_at"]) for start in starts):
        names.add("duplicated")
    if len(ends) > 1 and not names:
        names.add("overlapped")
    return names


def _after(start: LogEntry, end: LogEntry) -> bool:
    return start.place > end.place if start.worker == end.worker else start.at > end.at


def _reported(end: LogEntry, final: Task | None) -> bool:
    """Whether the store's final event tells of this very end: the worker's name is its log's."""
    if final is None or final["status"] != TaskStatus.DONE:
        return False
    return str(final["worker"] or "").split("@")[0] == end.worker and abs(_seconds(final["at"]) - end.at) <= 1


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def _history(task: Task | None, own: Sequence[LogEntry]) -> list[str]:
    lines = [
        f"{event['recorded_at']} store: {event['status']} attempt {event['attempt']} {event['worker'] or ''}"
        for event in (task or {"events": []})["events"]
    ]
    return lines + [f"{datetime.fromtimestamp(e.at)} {e.worker}.log: {e.kind}" for e in own]
