"""A report written out for mail."""

from datetime import datetime
from typing import Any

from flask import render_template
from flask_babel import force_locale

from api.schedule import wording
from api.schedule.present import report_json
from api.web.i18n import duration, number
from api.web.wording import LABELS, gettext
from lab.settings import Settings
from store.reports import MEASURES
from store.task_queries import Row


def write(row: Row, settings: Settings) -> dict[str, str]:
    """The `subject`, `text` and `html` of the mail on a report, in the language of LAB_LOG_LANGUAGE."""
    told = report_json(row)
    with force_locale(settings.log_language):
        since, until = (
            wording.local(datetime.fromisoformat(told[name]), settings.timezone)
            for name in ("since", "until")
        )
        counted = gettext(
            "%(ended)s ended, %(failed)s failed", ended=number(told["ended"]), failed=number(told["failed"])
        )
        period = gettext(
            "%(since)s to %(until)s, %(zone)s", since=since, until=until, zone=settings.timezone.key
        )
        subject = gettext("Transport Lab, report for %(since)s: %(counted)s", since=since, counted=counted)
        html = render_template(
            "schedule/report_mail.html",
            subject=subject,
            period=period,
            counted=counted,
            figures=row["figures"],
            measures=names(),
        )
        return {"subject": subject, "text": _text(subject, period, row["figures"]), "html": html}


def names() -> dict[str, str]:
    """What each measure is called."""
    return dict(zip(MEASURES, (gettext("Waited"), gettext("Ran"), gettext("Total")), strict=True))


def _text(subject: str, period: str, figures: dict[str, Any]) -> str:
    lines = [subject, period, ""]
    heads = (gettext("Ended"), gettext("Failed"), gettext("Cancelled"), gettext("Retries"))
    for row in figures["rows"]:
        lines.append(f"{LABELS.get(row['method'], row['method'])}, {row['kind']}")
        counts = (row["ended"], row["failed"], row["cancelled"], row["retries"])
        lines.append("  " + ", ".join(f"{head}: {number(n)}" for head, n in zip(heads, counts, strict=True)))
        for measure, name in names().items():
            if row[measure] is not None:
                shares = ", ".join(f"{share} {duration(value)}" for share, value in row[measure].items())
                lines.append(f"  {name}: {shares}")
        lines.append("")
    if not figures["rows"]:
        lines += [gettext("No task ended in this time."), ""]
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ")
