"""What the pages say from Python, and what their scripts say: in the reader's language."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import flask_babel

from api.web.i18n import clock, number, plural_forms
from lab.clock import to_iso, to_us
from lab.delivery import Delivery
from lab.jobs.backoff import longest
from lab.status import TaskStatus
from store.options import travelling
from transports import TRANSPORTS, transport_class
from transports.methods import RABBITMQ, label_of

LABELS: Final = {name: transport_class(name).label for name in TRANSPORTS}


def gettext(text: str, **names: Any) -> str:
    """`text` in the reader's language, its `%(name)s` filled in."""
    return str(flask_babel.gettext(text, **names))


def ngettext(one: str, many: str, n: int, /, **names: Any) -> str:
    """The form of `one` and `many` that goes with `n`, in the reader's language."""
    return str(flask_babel.ngettext(one, many, n, **names))


def contender(method: str, delivery: str) -> str:
    """What a method in a mode of delivery is called."""
    return gettext(label_of(method, delivery))


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


def cancelled(num: int, status: str) -> str:
    """What is said of a task whose cancellation was just taken."""
    if status == TaskStatus.CANCELLED:
        return gettext("Cancelled: task #%(num)s.", num=num)
    return gettext("The cancellation of task #%(num)s is requested.", num=num)


def ended(num: int, status: str) -> str:
    """Why a task cannot be cancelled."""
    return gettext("Task #%(num)s has ended before: %(status)s.", num=num, status=status)


def sent_again(old: int, new: int) -> str:
    """What is said of a task just sent again."""
    return gettext("Task #%(old)s was sent again as task #%(new)s.", old=old, new=new)


def not_sent_again(num: int, status: str) -> str:
    """Why a task cannot be sent again."""
    return gettext(
        "Task #%(num)s is %(status)s: only FAILED or CANCELLED tasks can be sent again.",
        num=num,
        status=status,
    )


def cancellation(task: Mapping[str, Any]) -> str:
    """How the cancellation of `task` (as the JSON API shows it) came out; nothing where none was asked for."""
    if task["cancel_requested_at"] is None:
        return ""
    names = {"at": clock(task["cancel_requested_at"])}
    if task["finished_at"] is None:
        return gettext(
            "Cancellation requested at %(at)s UTC. Its worker is told, and may finish first.", **names
        )
    names["end"] = clock(task["finished_at"])
    if task["status"] != TaskStatus.CANCELLED:
        return gettext(
            "Cancellation requested at %(at)s UTC, but it finished first, at %(end)s UTC.", **names
        )
    if task["started_at"] is None:
        return gettext("Cancellation requested at %(at)s UTC, before it began: it was not run.", **names)
    return gettext("Cancellation requested at %(at)s UTC, stopped at %(end)s UTC.", **names)


def goes_on(task: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> str:
    """When a task that is RETRYING is tried again; nothing for any other, or where nobody will."""
    told = [event["at"] for event in history if event["status"] == TaskStatus.RETRYING]
    naive_by_hand = (task["method"], task["delivery"]) == (RABBITMQ.name, Delivery.NAIVE)
    if task["status"] != TaskStatus.RETRYING or not told or naive_by_hand:
        return ""
    policy = travelling(task["options"]).retry
    latest = to_us(datetime.fromisoformat(told[-1])) + round(longest(len(told) - 1, policy) * 1e6)
    return gettext("Tried again by %(at)s UTC, where a worker is free.", at=clock(to_iso(latest)))


def reason(code: str, unknown_task: str | None = None) -> str:
    """Why a message became a dead letter; `unknown_task` is the name of the task that no worker has."""
    if unknown_task:
        return gettext("no task of the name %(name)s", name=unknown_task)
    reasons = {
        "rejected": gettext("rejected: it could not be read, or its job killed its worker"),
        "delivery_limit": gettext("came back too often"),
        "expired": gettext("waited too long"),
    }
    return reasons.get(code, code)


def size(length: int, *, cut: bool) -> str:
    """A size in bytes; `cut` if there were more."""
    text = ngettext("%(n)s byte", "%(n)s bytes", length, n=number(length))
    return gettext("%(size)s or more", size=text) if cut else text


def requeued(letter_id: int, queue: str, as_task: bool) -> str:
    """What is said of a dead letter just sent again, as a new task or to its `queue`."""
    if as_task:
        return gettext("Letter %(id)s: its task was sent again.", id=letter_id)
    return gettext("Letter %(id)s went back to the queue %(queue)s.", id=letter_id, queue=queue)


def for_scripts() -> dict[str, Any]:
    """The sentences of the page's scripts; {braces} are theirs to fill."""
    return {
        "s": gettext("s"),
        "ms": gettext("ms"),
        "up": gettext("up"),
        "down": gettext("down"),
        "unknown": gettext("unknown"),
        "live": gettext("live"),
        "reconnecting": gettext("reconnecting…"),
        "asOf": gettext("as of %(time)s", time="{time}"),
        "letters": gettext("Dead letters: %(n)s", n="{n}"),
        "over": {
            "all": plural_forms(lambda n: over(n, "{n}")),
            "failed": plural_forms(lambda n: not_done(n, "{n}")),
        },
        "sending": gettext("Sending…"),
        "running": gettext("Running in the request: {seconds}"),
        "receiving": gettext("Receiving…"),
        "unreachable": gettext("The lab does not answer. Press again: nothing is sent twice."),
        "failed": gettext("It did not work: {reason}"),
        "sent": plural_forms(lambda n: _sent(n, **_BRACES)),
        "ran": plural_forms(lambda n: _ran(n, **_BRACES)),
        "new": plural_forms(lambda n: ngettext("%(n)s new task", "%(n)s new tasks", n, n="{n}")),
        "waiting": plural_forms(lambda n: waiting(n, "{n}")),
        "nowhere": plural_forms(lambda n: nowhere(n, "{n}")),
        "alarm": {resource: alarm(resource) for resource in ("memory", "disk")},
        "attempt": gettext("attempt %(n)s", n="{n}"),
        "cancelRequested": gettext("cancellation requested"),
        "act": {
            "cancel": [gettext("Cancel"), gettext("Cancel task #%(num)s", num="{num}")],
            "retry": [gettext("Send again"), gettext("Send again: task #%(num)s", num="{num}")],
        },
    }


def over(n: int, shown: str) -> str:
    """That `n` tasks that were waited for have ended."""
    return ngettext("%(n)s task has ended", "%(n)s tasks have ended", n, n=shown)


def not_done(n: int, shown: str) -> str:
    """That `n` of them are not DONE."""
    return ngettext("%(n)s of them not done", "%(n)s of them not done", n, n=shown)


def waiting(n: int, shown: str | None = None) -> str:
    """That `n` tasks wait for the broker; `shown` is the number as it is written."""
    return ngettext(
        "%(n)s task waits for it", "%(n)s tasks wait for it", n, n=number(n) if shown is None else shown
    )


def nowhere(n: int, shown: str | None = None) -> str:
    """That `n` tasks are in no queue and with no worker; `shown` is the number as it is written."""
    return ngettext(
        "%(n)s task is nowhere", "%(n)s tasks are nowhere", n, n=number(n) if shown is None else shown
    )


def alarm(resource: str) -> str:
    """That the broker's alarm for `resource`, "memory" or "disk", is on."""
    if resource == "memory":
        return gettext("memory alarm: publishing is blocked")
    return gettext("disk alarm: publishing is blocked")


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
