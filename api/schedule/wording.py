"""What the pages of the schedule say from Python, in the reader's language."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from babel import dates

from api.web.i18n import language, moment, number
from api.web.wording import gettext, ngettext
from lab.schedule import Every, Rule


def title(name: str) -> str:
    """An entry's name, in words."""
    titles = {
        "check-health-every-minute": gettext("Health check"),
        "daily-report": gettext("Daily report"),
        "weekly-cleanup": gettext("Clean-up"),
    }
    return titles.get(name, name)


def about(name: str, keep_days: float) -> str:
    """What an entry does."""
    days = ngettext(
        "%(n)s day", "%(n)s days", int(keep_days) if keep_days == int(keep_days) else 2, n=number(keep_days)
    )
    abouts = {
        "check-health-every-minute": gettext(
            "Asks whether store, broker, API and workers are up. Where something is down, its task is FAILED"
            " and says what."
        ),
        "daily-report": gettext(
            "Counts, failures, retries and times of what ended the day before; kept here, and mailed where"
            " a mail server is set."
        ),
        "weekly-cleanup": gettext(
            "Removes tasks that ended more than %(days)s ago, with their histories, and groups, reports and"
            " runs as old as that.",
            days=days,
        ),
    }
    return abouts.get(name, "")


def rule(meant: Rule) -> str:
    """When an entry is due."""
    if isinstance(meant, Every):
        if meant.seconds == 60:
            return gettext("every minute")
        return ngettext("every %(n)s second", "every %(n)s seconds", meant.seconds, n=meant.seconds)
    at = f"{time(meant.hour, meant.minute):%H:%M}"
    if meant.weekday is None:
        return gettext("every day at %(time)s", time=at)
    name = dates.get_day_names("wide", "stand-alone", language())[meant.weekday - 1]
    return gettext("every week: %(day)s, %(time)s", day=name, time=at)


def local(at: datetime, zone: ZoneInfo) -> str:
    """The date and time of `at` in `zone`: 21 Nov 2026, 08:00:00."""
    return moment(at.astimezone(zone).isoformat())


def relative(at: datetime, now: datetime) -> str:
    """How far `at` is from `now`: in 5 minutes, 2 hours ago."""
    away = at.astimezone(UTC) - now
    if abs(away) < timedelta(seconds=1):
        return gettext("now")
    return dates.format_timedelta(away, add_direction=True, threshold=1.1, locale=language())


def mail(state: str | None) -> str:
    """What became of a report's mail."""
    states = {
        None: gettext("not sent by mail: no mail server is set"),
        "sending": gettext(
            "handed to the mail server; whether it took it is not known, so it is not sent again"
        ),
        "sent": gettext("sent by mail"),
        "failed": gettext("not sent by mail"),
    }
    return states.get(state, str(state))


def started(name: str, num: int) -> str:
    """What is said of an entry just run by hand."""
    return gettext("%(title)s: sent as task #%(num)s.", title=title(name), num=num)
