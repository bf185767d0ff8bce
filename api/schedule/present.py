"""The schedule and its reports as the outside sees them."""

from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel

from api.services import services
from api.web.present import iso, row_json
from lab.clock import to_iso, to_us
from lab.schedule import ENTRIES, Entry, Every, Rule
from store.task_queries import Row

SHOWN_RUNS: Final = 20
SILENT_AFTER: Final = timedelta(minutes=2)


class RuleOut(BaseModel):
    """When an entry is due: `every` so many seconds, or `at` a time of the day, daily or on a `weekday`
    (1 is Monday)."""

    every: int | None
    at: str | None
    weekday: int | None


class RunOut(BaseModel):
    """A run; `due_at` is None where it was run by hand, `task_id` where its due time was passed over since an
    experiment was running, `num` and `status` where it has no task or that was removed."""

    due_at: str | None
    created_at: str
    task_id: str | None
    num: int | None
    status: str | None
    error: str | None
    finished_at: str | None


class EntryOut(BaseModel):
    """An entry, with its twenty newest runs, newest first."""

    name: str
    kind: str
    rule: RuleOut
    next_at: str
    runs: list[RunOut]


class ScheduleOut(BaseModel):
    """The schedule; `beat` is whether beat was heard in the last two minutes."""

    timezone: str
    beat: bool
    heard_at: str | None
    entries: list[EntryOut]


class ReportOut(BaseModel):
    """A report on the tasks that ended from `since` to before `until`. `mail` is sending, sent, failed, or
    None where it was never tried."""

    id: int
    task_id: str
    since: str
    until: str
    created_at: str
    ended: int
    failed: int
    mail: str | None
    mail_error: str | None
    mail_at: str | None


def schedule_json(now: datetime) -> dict[str, Any]:
    """The whole schedule. `beat` is whether its word was heard in the last two minutes."""
    heard = services().schedule.runs.heard_us()
    return {
        "timezone": services().settings.timezone.key,
        "beat": heard is not None and to_us(now) - heard <= SILENT_AFTER / timedelta(microseconds=1),
        "heard_at": iso(heard),
        "entries": [entry_json(entry, now) for entry in ENTRIES.values()],
    }


def entry_json(entry: Entry, now: datetime) -> dict[str, Any]:
    """An entry, with its newest runs."""
    runs = services().schedule.runs.newest(entry.name, SHOWN_RUNS)
    due = entry.rule.next(now, services().settings.timezone)
    return {
        "name": entry.name,
        "kind": entry.kind,
        "rule": rule_json(entry.rule),
        "next_at": to_iso(to_us(due)),
        "runs": [run_json(run) for run in runs],
    }


def rule_json(rule: Rule) -> dict[str, Any]:
    """A rule: `every` so many seconds, or `at` a time of the day, and on which `weekday` (1 is Monday)."""
    if isinstance(rule, Every):
        return {"every": rule.seconds, "at": None, "weekday": None}
    return {"every": None, "at": f"{rule.hour:02}:{rule.minute:02}", "weekday": rule.weekday}


def run_json(run: Row) -> dict[str, Any]:
    """A run with how its task stands; `due_at` is None where it was run by hand, `task_id` where an experiment was
    running and the due time was passed over, and what else is its task's where the task was removed since."""
    return {**row_json(RunOut, run), "task_id": run["task_id"] or None}


def report_json(row: Row) -> dict[str, Any]:
    """A report, without its figures."""
    whole = row["figures"]["all"]
    return {**row_json(ReportOut, row), "ended": whole["ended"], "failed": whole["failed"]}
