"""The table of differences in the reader's language."""

import re
from collections.abc import Sequence
from typing import Any, Final

from api.i18n import number
from api.wording import gettext, ngettext
from experiments.model import FairnessRow
from experiments.plan import Plan
from experiments.words import N_, fairness_title

_VALUES: Final = frozenset(
    {
        N_("after the job"),
        N_("when the job begins"),
        N_("when it is sent to the worker"),
        N_("none"),
        N_("queue and messages"),
        N_("queue only"),
        N_("begin before the job, end before the acknowledgement"),
        N_("begin before the job, end after it"),
        N_("never"),
        N_("for ever"),
        N_("one by one"),
        N_("published again, then acknowledged"),
        N_("published again"),
        N_("its process is ended"),
        N_("its thread is left to itself"),
        N_("again at once, by the same thread"),
        N_("none but its own next report"),
        N_("no worker answers"),
        N_("unknown"),
        N_("no limit"),
        N_("processes"),
        N_("threads"),
        N_("quorum"),
        N_("classic"),
    }
)
_ORDER: Final = ("differs", "sync", "equal")
_COUNTED: Final = re.compile(r"([0-9]+) (times|at once|bytes)")


def title(key: str) -> str:
    """What a row is about."""
    return fairness_title(key, gettext)


def value(text: str) -> str:
    """What stands in a row for a contender; what workers tell of themselves stays as it is."""
    if text in _VALUES:
        return gettext(text)
    if (counted := _COUNTED.fullmatch(text)) is None:
        return text
    n = int(counted[1])
    return {
        "times": ngettext("%(n)s time", "%(n)s times", n, n=number(n)),
        "at once": gettext("%(n)s at once", n=number(n)),
        "bytes": ngettext("%(n)s byte", "%(n)s bytes", n, n=number(n)),
    }[counted[2]]


def remark(key: str) -> str:
    """What a difference in a row does to the figures."""
    remarks = {
        "concurrency": gettext("Whoever runs more at once is faster for that reason alone."),
        "workers": gettext("More processes share the work, and the memory counts for each."),
        "prefetch": gettext("Fetching ahead saves waiting for the broker, and spreads jobs less evenly."),
        "acknowledgement": gettext("Acknowledging early is cheaper, and loses what a killed worker held."),
        "confirms": gettext("Not asking is faster, and loses what the broker did not take."),
        "durability": gettext("What needs not be kept is taken sooner."),
        "queue_type": gettext("A quorum queue writes each message to its log; a classic one need not."),
        "pool": gettext(
            "Threads share one interpreter's lock; processes do not. It tells with jobs that compute."
        ),
        "message_size": gettext("A longer message takes longer to write and to read."),
        "versions": gettext("Each has its own client library."),
    }
    return remarks.get(key, "")


def table_of(rows: Sequence[FairnessRow], plan: Plan | None, *, ran: bool) -> dict[str, Any]:
    """The table with a sentence before it: what differs between contenders that have a broker comes first,
    then what differs because `sync` has none, then what is equal. `ran` is whether it is of a run, and not of
    one to come."""
    shown = sorted((_row(row, plan, ran) for row in rows), key=lambda row: _ORDER.index(row["state"]))
    return {"rows": shown, "said": _said([row["state"] for row in shown])}


def _row(row: FairnessRow, plan: Plan | None, ran: bool) -> dict[str, Any]:
    state = "equal" if row.equal else "sync" if plan and _is_sync_alone(row, plan) else "differs"
    remarks = {"equal": "", "sync": gettext("Sync has no broker and no worker."), "differs": remark(row.key)}
    return {
        **row.model_dump(),
        "state": state,
        "title": title(row.key),
        "values": [value(text) for text in row.values],
        "remark": remarks[state],
        "switch": _switch(plan, ran) if state == "differs" and row.can_equalise else "",
    }


def _switch(plan: Plan | None, ran: bool) -> str:
    """What the switch to equalise does, or did, to a row that it can change."""
    if plan is None or not plan.equalise:
        return gettext("It was left as it is.") if ran else gettext("“Equalise” sets it alike.")
    return gettext("It could not be set alike.") if ran else gettext("It is set alike before the run begins.")


def _is_sync_alone(row: FairnessRow, plan: Plan) -> bool:
    """Whether all contenders but `sync` have the same value."""
    pairs = zip(plan.arms, row.values, strict=False)
    return len({text for arm, text in pairs if arm.method != "sync"}) == 1


def _said(states: Sequence[str]) -> str:
    differ, sync = states.count("differs"), states.count("sync")
    if not states:
        return gettext("Choose at least one contender to see what differs.")
    if not differ + sync:
        return gettext("Nothing that is known: what differs is the method.")
    sentences = []
    if differ:
        sentences.append(
            ngettext(
                "%(n)s thing differs. Read the figures with it in mind.",
                "%(n)s things differ. Read the figures with them in mind.",
                differ,
                n=differ,
            )
        )
    if sync:
        sentences.append(
            ngettext(
                "In %(n)s thing only Sync is unlike the others, which have a broker.",
                "In %(n)s things only Sync is unlike the others, which have a broker.",
                sync,
                n=sync,
            )
        )
    return " ".join(sentences)
