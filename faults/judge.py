"""The judge: what became of each job by the ledger, and whether store and broker say the same."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faults.document import ArmFigures, Fate, HistoryEntry, JobMark, Run, Said, label_of_arm
from lab.delivery import Delivery
from lab.status import TaskStatus
from transports.methods import N_

BY_BROKER = "in the broker's queue"
BY_LETTERS = "a dead letter"
IN_OUTBOX = "with the API, not sent yet"
NOWHERE = "in no queue, with no worker, no dead letter"
_MANY = 3


@dataclass
class JobRun:
    """One run of a job by the ledger: `begin` and `end` on the machine's monotonic clock."""

    num: int
    worker: str
    pid: int
    begin: float
    end: float | None = None


@dataclass
class Ledger:
    """Reads the files that jobs append to, each of them one worker's; what it has read it need not read again."""

    folder: Path
    runs: dict[int, list[JobRun]] = field(default_factory=lambda: defaultdict(list))
    _read: dict[Path, int] = field(default_factory=dict)

    def look(self) -> None:
        """Reads what has come since."""
        for path in sorted(self.folder.glob("*.jsonl")):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # it is being written
                    self._read[path] = self._read.get(path, 0) + len(line)
                    self.enter(path.stem, json.loads(line))

    def enter(self, worker: str, line: Mapping[str, float | str]) -> None:
        """Enters a line of `worker`: an end belongs to the last run of the job in the same process."""
        num, pid, mono = int(line["num"]), int(line["pid"]), float(line["mono"])
        if line["event"] == "begin":
            self.runs[num].append(JobRun(num, worker, pid, mono))
            return
        for run in reversed(self.runs[num]):
            if (run.worker, run.pid, run.end) == (worker, pid, None):
                run.end = mono
                return


@dataclass(frozen=True)
class Found:
    """What was found of one arm at the end, beside the ledger.

    Attributes:
        tasks: what GET /api/tasks/<id> shows, by number; empty for what is no task.
        in_broker: the numbers whose messages lie in a queue now that all workers have gone.
        letters: the numbers of which there is a dead letter.
        strangers: messages in the arm's queues that are none of the run's.
    """

    tasks: Mapping[int, Mapping[str, object]]
    in_broker: frozenset[int] = frozenset()
    letters: frozenset[int] = frozenset()
    strangers: int = 0


def marks_of(nums: Iterable[int], ledger: Ledger, zero: float, now: float) -> list[JobMark]:
    """How the jobs stand at `now` while the run goes on; nothing is called lost yet."""
    return [_mark(num, ledger.runs.get(num, ()), zero, now) for num in nums]


def _mark(num: int, runs: Sequence[JobRun], zero: float, now: float) -> JobMark:
    ends = [run.end for run in runs if run.end is not None]
    if ends:
        status, at = (Fate.DONE if len(ends) == 1 else Fate.DOUBLED), max(ends)
    else:
        status, at = (Fate.HELD, runs[-1].begin) if runs else (Fate.WAITING, now)
    return JobMark(job=num, status=status, at=_since(at, zero), runs=[_run(run, zero) for run in runs])


def _run(run: JobRun, zero: float) -> Run:
    return _since(run.begin, zero), None if run.end is None else _since(run.end, zero), run.worker


def _since(moment: float, zero: float) -> float:
    return round(moment - zero, 3)


def final_marks(
    marks: Sequence[JobMark], found: Found, histories: Mapping[int, list[HistoryEntry]]
) -> list[JobMark]:
    """`marks` with what the broker's queues, dead letters and outbox say of jobs that have not been done."""
    return [_final(mark, found, histories.get(mark.job, [])) for mark in marks]


def _final(mark: JobMark, found: Found, history: list[HistoryEntry]) -> JobMark:
    mark = mark.model_copy(update={"history": history})
    if mark.status in (Fate.DONE, Fate.DOUBLED):
        return mark
    task = found.tasks.get(mark.job)
    if mark.job in found.letters:
        return mark.model_copy(update={"status": Fate.HELD, "where": BY_LETTERS})
    if mark.job in found.in_broker:
        return mark.model_copy(update={"status": Fate.WAITING, "where": BY_BROKER})
    if task is not None and task["published_at"] is None and not TaskStatus(str(task["status"])).final:
        return mark.model_copy(update={"status": Fate.WAITING, "where": IN_OUTBOX})
    return mark.model_copy(update={"status": Fate.LOST, "where": NOWHERE})


def figures_of(
    marks: Sequence[JobMark], confirmed: int, fault: tuple[float, float | None] | None
) -> ArmFigures:
    """The counters of an arm whose jobs stand as `marks` say; `fault` is when it began and ended."""
    fates = [mark.status for mark in marks]
    begins, ends = _times(marks)
    figures = ArmFigures(
        accepted=len(marks),
        confirmed=confirmed,
        done_once=fates.count(Fate.DONE),
        lost=fates.count(Fate.LOST),
        doubled=fates.count(Fate.DOUBLED),
        recovered=sum(mark.status is Fate.DONE and len(mark.runs) > 1 for mark in marks),
    )
    if fault is None:
        return figures
    struck, undone = fault
    after = [end for end in ends if end > struck]
    gaps = [later - earlier for earlier, later in zip([struck, *after], after, strict=False)]
    figures.longest_gap_s = round(max(gaps), 3) if gaps else None
    if undone is None:
        return figures
    healed = [end for end in ends if end >= undone]
    if healed:
        figures.first_success_s = round(healed[0] - undone, 3)
        before = sum(end <= struck for end in ends)
        spent = struck - min(begins)
        if before and spent > 0 and healed[-1] > undone:
            figures.recovery_ratio = round(len(healed) / (healed[-1] - undone) / (before / spent), 3)
    return figures


def _times(marks: Sequence[JobMark]) -> tuple[list[float], list[float]]:
    runs = [run for mark in marks for run in mark.runs]
    return [run[0] for run in runs], sorted(run[1] for run in runs if run[1] is not None)


def disagreements_of(arm: str, marks: Sequence[JobMark], found: Found) -> list[Said]:
    """Where store and broker say something else of `arm`'s jobs than the ledger, a sentence each."""
    unheard, untrue = [], []
    for mark in marks:
        task = found.tasks.get(mark.job)
        if task is None:
            continue
        done = mark.status in (Fate.DONE, Fate.DOUBLED)
        if done and task["status"] != TaskStatus.DONE:
            unheard.append(f"#{mark.job} ({task['status']})")
        if not done and task["status"] == TaskStatus.DONE:
            untrue.append(f"#{mark.job}")
    ran = {mark.job for mark in marks if mark.status in (Fate.DONE, Fate.DOUBLED)}
    about = [
        (N_("%(arm)s: ran to the end by the ledger, and the store does not say DONE: %(jobs)s"), unheard),
        (N_("%(arm)s: DONE in the store, without an end in the ledger: %(jobs)s"), untrue),
        (
            N_("%(arm)s: ran to the end, and their messages are still queued: %(jobs)s"),
            [f"#{job}" for job in sorted(found.in_broker & ran)],
        ),
    ]
    label = label_of_arm(arm)
    said = [
        Said(msgid=msgid, arm=arm, values={"arm": label, "jobs": _listed(jobs)})
        for msgid, jobs in about
        if jobs
    ]
    if found.strangers:
        strange = N_("%(arm)s: messages in its queues that are none of this run: %(count)s")
        said.append(Said(msgid=strange, arm=arm, values={"arm": label, "count": found.strangers}))
    return said


def _listed(jobs: Sequence[str]) -> str:
    """The first jobs, and how many there are where that is not all."""
    shown = ", ".join(jobs[:_MANY])
    return f"{shown}, … ({len(jobs)})" if len(jobs) > _MANY else shown


def is_safe(arm: str) -> bool:
    """Whether the contender of `arm` promises to lose nothing."""
    return arm.endswith(f":{Delivery.SAFE}")
