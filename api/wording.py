"""What the pages say from Python, and what their scripts say: in the reader's language."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import flask_babel

from api.i18n import number, plural_forms
from api.schemas import MAX_COUNT
from lab.job import MAX_NUMBERS, MAX_TIMEOUT
from lab.status import TaskStatus
from transports import TRANSPORTS, transport_class

LABELS: Final = {name: transport_class(name).label for name in TRANSPORTS}


def gettext(text: str, **names: Any) -> str:
    """`text` in the reader's language, its `%(name)s` filled in."""
    return str(flask_babel.gettext(text, **names))


def ngettext(one: str, many: str, n: int, /, **names: Any) -> str:
    """The form of `one` and `many` that goes with `n`, in the reader's language."""
    return str(flask_babel.ngettext(one, many, n, **names))


def meanings() -> dict[str, str]:
    """What each status means, in a few words."""
    return {
        TaskStatus.PENDING.value: gettext("waits to be run"),
        TaskStatus.IN_PROGRESS.value: gettext("is being run"),
        TaskStatus.RETRYING.value: gettext("will be tried again"),
        TaskStatus.DONE.value: gettext("finished"),
        TaskStatus.FAILED.value: gettext("ended with an error"),
        TaskStatus.CANCELLED.value: gettext("cancelled"),
    }


def sent(method: str, nums: Sequence[int]) -> str:
    """What is said of tasks just taken; `nums` are their numbers, of which there is at least one."""
    say = _ran if transport_class(method).in_request else _sent
    return say(len(nums), n=number(len(nums)), first=nums[0], last=nums[-1])


def fault(problem: Mapping[str, Any], most_seconds: float) -> str:
    """One entry of `Invalid.problems`; `most_seconds` is what one request may run jobs for."""
    name = str(problem["field"]).partition(".")[0]
    if problem.get("code") == "total_seconds":
        name = "total_seconds"
    return _bounds(most_seconds).get(name, str(problem["message"]))


def for_scripts(most_seconds: float) -> dict[str, Any]:
    """The sentences of the page's scripts; {braces} are theirs to fill."""
    return {
        "s": gettext("s"),
        "ms": gettext("ms"),
        "up": gettext("up"),
        "down": gettext("down"),
        "unknown": gettext("unknown"),
        "live": gettext("live"),
        "reconnecting": gettext("reconnecting…"),
        "sending": gettext("Sending…"),
        "running": gettext("Running in the request: {seconds}"),
        "receiving": gettext("Receiving…"),
        "unreachable": gettext("The lab does not answer. Press again: nothing is sent twice."),
        "failed": gettext("It did not work: {reason}"),
        "sent": plural_forms(lambda n: _sent(n, **_BRACES)),
        "ran": plural_forms(lambda n: _ran(n, **_BRACES)),
        "new": plural_forms(lambda n: ngettext("%(n)s new task", "%(n)s new tasks", n, n="{n}")),
        "waiting": plural_forms(lambda n: waiting(n, "{n}")),
        "errors": _bounds(most_seconds),
    }


def waiting(n: int, shown: str | None = None) -> str:
    """That `n` tasks wait for the broker; `shown` is the number as it is written."""
    return ngettext(
        "%(n)s task waits for it", "%(n)s tasks wait for it", n, n=number(n) if shown is None else shown
    )


_BRACES: Final = {"n": "{n}", "first": "{first}", "last": "{last}"}


def _sent(n: int, /, **names: Any) -> str:
    return ngettext("Sent: task #%(first)s.", "Sent: %(n)s tasks, #%(first)s to #%(last)s.", n, **names)


def _ran(n: int, /, **names: Any) -> str:
    return ngettext(
        "Run in the request: task #%(first)s.",
        "Run in the request: %(n)s tasks, #%(first)s to #%(last)s.",
        n,
        **names,
    )


def _bounds(most_seconds: float) -> dict[str, str]:
    """What each field of the forms takes."""
    return {
        "timeout": gettext("A number of seconds from 0 to %(most)s.", most=number(MAX_TIMEOUT)),
        "count": gettext("A whole number from 1 to %(most)s.", most=number(MAX_COUNT)),
        "numbers": gettext("1 to %(most)s numbers, separated by spaces or commas.", most=number(MAX_NUMBERS)),
        "total_seconds": gettext(
            "One request may run for %(most)s seconds in all: fewer seconds, or fewer tasks.",
            most=number(most_seconds),
        ),
    }
