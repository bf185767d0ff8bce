"""The jobs of the schedule. What they look at and keep is the API's: they ask it in their task's name."""

import time
from contextlib import suppress
from typing import Any, Final

import requests

from lab.jobs.backoff import delay
from lab.jobs.context import API, Context, TemporaryError
from lab.jobs.mail import Mail, MailRefused, MailUncertain

# How often it is tried to tell the API what became of a mail: until then another worker must not send it.
RECORD_TRIES: Final = 6


class NotRecorded(Exception):
    """What became of a mail could not be told to the API."""


class Unhealthy(Exception):
    """A part of the lab is down; the message says which."""


def health_check(context: Context) -> dict[str, Any]:
    """Asks the API how store, broker and workers are.

    Raises:
        Unhealthy: some of them are down, or the API does not answer.
    """
    began = time.monotonic()
    try:
        seen = _api(context).post("health")
    except (requests.RequestException, TemporaryError) as error:
        raise Unhealthy(f"the API does not answer: {type(error).__name__}: {error}") from error
    seconds = time.monotonic() - began
    if seen["troubles"]:
        raise Unhealthy("; ".join(seen["troubles"]))
    return {"status": "healthy", "api_seconds": round(seconds, 4), **seen["figures"]}


def generate_daily_report(context: Context, since: str, until: str) -> dict[str, Any]:  # noqa: ARG001
    """Has the API keep a report on what ended from `since` to `until` (ISO 8601), and mails it where a mail
    server is set.

    Raises:
        lab.jobs.mail.MailRefused: the mail server will not take it.
        lab.jobs.mail.MailUncertain: it is not known whether the server took it; it is not sent again.
        NotRecorded: the server took it, and the API could not be told.
    """
    api = _api(context)
    report = api.post("report")
    context.progress(0.5)
    result = {"report": report["id"], "ended": report["ended"], "failed": report["failed"]}
    if context.mailer is None:
        return {**result, "mail": "no mail server is set"}
    if report["mail"] == "sending":
        raise MailUncertain(f"report {report['id']} was being handed over before, and the end is not known")
    if report["mail"] != "sent":
        mail = Mail(f"report-{report['id']}.{report['key']}", **api.post("report/text"))
        try:
            context.mailer.send(mail, lambda: api.post("report/mail", {"state": "sending"}))
        except (MailRefused, TemporaryError, OSError) as error:
            with suppress(NotRecorded):
                _record(api, {"state": "failed", "error": str(error)[:1000]})
            raise
        _record(api, {"state": "sent"})
    return {**result, "mail": "sent"}


def cleanup_old_data(context: Context) -> dict[str, Any]:
    """Has the API remove, a little at a time, what ended long ago; tells how much of what it removed."""
    api = _api(context)
    removed: dict[str, int] = {}
    while True:
        step = api.post("clean-up")
        for name, n in step["removed"].items():
            removed[name] = removed.get(name, 0) + n
        if not step["more"]:
            return removed
        context.progress(0.5)


def _api(context: Context) -> API:
    if context.api is None:
        raise TypeError("the jobs of the schedule need the API")
    return context.api


def _record(api: API, state: dict[str, Any]) -> None:
    for retry in range(RECORD_TRIES):
        try:
            api.post("report/mail", state)
            return
        except (requests.RequestException, TemporaryError):
            if retry == RECORD_TRIES - 1:
                raise NotRecorded(f"the API could not be told that the mail is {state['state']}") from None
            time.sleep(delay(retry))
