"""The page of the schedule, and the page of one report."""

import secrets
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from api.schedule import wording
from api.schedule.present import report_json, schedule_json
from api.schedule.reports.text import names
from api.schedule.service import now
from api.services import services
from api.web.keys import form_key
from lab.schedule import ENTRIES

schedule = Blueprint("schedule", __name__)

SHOWN_REPORTS: Final = 20
MOST_ID: Final = 2**62


@schedule.get("/schedule")
def index() -> str:
    """What runs by the clock, and the newest reports."""
    moment = now()
    whole = schedule_json(moment)
    return render_template(
        "schedule/index.html",
        key=secrets.token_urlsafe(16),
        schedule=whole,
        heard=_when(whole["heard_at"], moment),
        entries=[_entry(entry, moment) for entry in whole["entries"]],
        reports=[_report(row, moment) for row in services().schedule.reports.newest(SHOWN_REPORTS)],
    )


@schedule.post("/schedule/<entry>/run")
def run(entry: str) -> AnyResponse:
    """Runs an entry now, and goes back to the schedule."""
    found = ENTRIES.get(entry) or abort(404)
    key = form_key(f"schedule-{entry}", request.form.get("key", ""))
    row = services().schedule.run_now(found, now(), key)  # pressed several times, it is one run
    flash(wording.started(found.name, row["num"]), f"schedule-{found.name}")
    return redirect(url_for(".index", _anchor=found.name), 303)


@schedule.get("/schedule/<entry>/run")
def back(entry: str) -> AnyResponse:
    """Somebody opens the address of a form: back to its entry."""
    return redirect(url_for(".index", _anchor=entry))


@schedule.get("/reports/<int:report_id>")
def report(report_id: int) -> str:
    """One report."""
    row = services().schedule.reports.get(report_id) if report_id <= MOST_ID else None
    if row is None:
        abort(404)
    return render_template(
        "schedule/report.html",
        report=_report(row, now()),
        figures=row["figures"],
        measures=names(),
        task=services().store.get(row["task_id"]),
        zone=services().settings.timezone.key,
    )


def _entry(told: dict[str, Any], moment: datetime) -> dict[str, Any]:
    entry, settings = ENTRIES[told["name"]], services().settings
    return {
        **told,
        "title": wording.title(entry.name),
        "about": wording.about(entry.name, settings.keep_days),
        "rule_words": wording.rule(entry.rule),
        "next": _when(told["next_at"], moment),
        "runs": [{**run, "when": _when(run["created_at"], moment)} for run in told["runs"]],
    }


def _report(row: dict[str, Any], moment: datetime) -> dict[str, Any]:
    told = report_json(row)
    times = {name: _when(told[f"{name}"], moment) for name in ("since", "until", "created_at")}
    return {
        **told,
        **{f"{name}_when": when for name, when in times.items()},
        "mailed": wording.mail(told["mail"]),
    }


def _when(iso: str | None, moment: datetime) -> dict[str, str] | None:
    """A time in three forms: `iso`, `local` in LAB_TIMEZONE, and `relative` to now."""
    if iso is None:
        return None
    at = datetime.fromisoformat(iso)
    local = wording.local(at, services().settings.timezone)
    return {"iso": iso, "local": local, "relative": wording.relative(at, moment)}
