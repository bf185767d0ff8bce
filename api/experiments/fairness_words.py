"""The table of differences in the reader's language."""

from collections.abc import Sequence
from typing import Any, Final

from api.wording import gettext, ngettext
from experiments.fairness_values import state_of, value_text
from experiments.model import FairnessRow
from experiments.plan import Plan
from experiments.words import fairness_title

_ORDER: Final = ("differs", "sync", "equal")


def remark(key: str) -> str:
    """What a difference in a row does to the figures."""
    remarks = {
        "concurrency": gettext("Whoever runs more at once is faster for that reason alone."),
        "workers": gettext("More processes share the work, and the memory counts for each."),
        "hosts": gettext("Another machine has a processor of its own, and a network on the way."),
        "pool_class": gettext("What runs the jobs; named by module and class."),
        "consumer_class": gettext(
            "What fetches and settles messages. What stock Celery cannot do and the lab adds is named."
        ),
        "code_lines": gettext(
            "Counted from the files, without blank lines, comments and docstrings; the libraries are not in it."
        ),
        "connections": gettext("Each is a socket and a heartbeat for worker and broker."),
        "consumer_timeout": gettext("A job that takes longer is delivered again while it runs."),
        "broker_version": gettext("Contenders on different brokers are not compared, the brokers are."),
        "results": gettext("A result that is written costs a worker time for each job."),
        "events": gettext("What workers tell each other and monitors goes through the same broker."),
        "heartbeat": gettext("The shorter, the sooner a worker that is gone is noticed."),
        "log_level": gettext("Lines that are logged for each job cost time."),
        "redelivery": gettext("How often a message comes again before it is given up."),
        "prefetch": gettext("Fetching ahead saves waiting for the broker, and spreads jobs less evenly."),
        "acknowledgement": gettext("Acknowledging early is cheaper, and loses what a killed worker held."),
        "confirms": gettext("Not asking is faster, and loses what the broker did not take."),
        "durability": gettext("What needs not be kept is taken sooner."),
        "queue_type": gettext("A quorum queue writes each message to its log; a classic one need not."),
        "pool": gettext(
            "Threads share one interpreter's lock; processes do not. It tells with jobs that compute."
        ),
        "retries": gettext("A retry that goes through the queue waits there once more."),
        "time_limits": gettext("It tells with jobs that do not end."),
        "reports": gettext("What is told before the acknowledgement is part of the method's time."),
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
    state = state_of(row, plan) if plan else "equal" if row.equal else "differs"
    remarks = {"equal": "", "sync": gettext("Sync has no broker and no worker."), "differs": remark(row.key)}
    if row.changed:
        remarks["differs"] = gettext("It changed while the experiment ran.")
    return {
        **row.model_dump(),
        "state": state,
        "title": fairness_title(row.key, gettext),
        "values": [value_text(text, gettext) for text in row.values],
        "remark": remarks[state],
        "switch": _switch(plan, ran) if state == "differs" and row.can_equalise else "",
    }


def _switch(plan: Plan | None, ran: bool) -> str:
    """What the switch to equalise does, or did, to a row that it can change."""
    if plan is None or not plan.equalise:
        return gettext("It was left as it is.") if ran else gettext("“Equalise” sets it alike.")
    if ran:
        return gettext("It could not be set alike: workers are made smaller only, and no tutorial worker is.")
    return gettext("It is set alike before the run begins, as far as workers can be made smaller.")


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
