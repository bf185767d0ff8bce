"""The schedule and its reports as the outside sees them."""

from datetime import datetime, timedelta
from typing import Any, Final

from api.services import services
from lab.clock import to_iso, to_us
from lab.schedule import ENTRIES, Entry, Every, Rule
from store.task_queries import Row

SHOWN_RUNS: Final = 20
SILENT_AFTER: Final = timedelta(minutes=2)


def schedule_json(now: datetime) -> dict[str, Any]:
    """The whole schedule. `beat` is whether its word was heard in the last two minutes."""
    heard = services().schedule.runs.heard_us()
    return {
        "timezone": services().settings.timezone.key,
        "beat": heard is not None and to_us(now) - heard <= SILENT_AFTER / timedelta(microseconds=1),
        "heard_at": None if heard is None else to_iso(heard),
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
    return {
        "due_at": None if run["due_us"] is None else to_iso(run["due_us"]),
        "created_at": to_iso(run["created_us"]),
        "task_id": run["task_id"] or None,
        "num": run["num"],
        "status": run["status"],
        "error": run["error"],
        "finished_at": None if run["finished_us"] is None else to_iso(run["finished_us"]),
    }


def report_json(row: Row) -> dict[str, Any]:
    """A report, without its figures."""
    whole = row["figures"]["all"]
    return {
        "id": row["id"],
        "task_id": row["task_id"],
        "since": to_iso(row["since_us"]),
        "until": to_iso(row["until_us"]),
        "created_at": to_iso(row["created_us"]),
        "ended": whole["ended"],
        "failed": whole["failed"],
        "mail": row["mail"],
        "mail_error": row["mail_error"],
        "mail_at": None if row["mail_us"] is None else to_iso(row["mail_us"]),
    }
