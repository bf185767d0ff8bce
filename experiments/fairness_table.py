"""What was alike for the contenders and what was not, as a table with a sentence before it."""

from collections.abc import Sequence
from typing import Final

from experiments.fairness_values import State, state_of, value_text
from experiments.model import FairnessRow
from experiments.plan import Plan
from experiments.report_tables import arms
from experiments.tables import Cell, Column, Row, Table
from experiments.words import N_, Translate, fairness_title

_ORDER: Final = ("differs", "but-sync", "equal")
_REMARKS: Final = {
    "concurrency": N_("Higher concurrency alone makes a method faster."),
    "workers": N_("More processes share the work, and the memory counts for each."),
    "hosts": N_("Another machine has a processor of its own, and a network on the way."),
    "clock": N_("Spans between two clocks are wrong by what these differ."),
    "pool_class": N_("What runs the jobs; named by module and class."),
    "consumer_class": N_(
        "What fetches and settles messages. What stock Celery cannot do and the lab adds is named."
    ),
    "code_lines": N_(
        "Counted from the files, without blank lines, comments and docstrings; the libraries are not in it."
    ),
    "connections": N_("Each is a socket and a heartbeat for worker and broker."),
    "consumer_timeout": N_("A job that takes longer is delivered again while it runs."),
    "broker_version": N_("Contenders on different brokers are not compared, the brokers are."),
    "results": N_("A result that is written costs a worker time for each job."),
    "events": N_("What workers tell each other and monitors goes through the same broker."),
    "heartbeat": N_("The shorter, the sooner a worker that is gone is noticed."),
    "log_level": N_("Lines that are logged for each job cost time."),
    "redelivery": N_("How often a message comes again before it is given up."),
    "prefetch": N_("Fetching ahead saves waiting for the broker, and spreads jobs less evenly."),
    "acknowledgement": N_("Acknowledging early is cheaper, and loses what a killed worker held."),
    "confirms": N_("Not asking is faster, and loses what the broker did not take."),
    "durability": N_("Non-durable messages are accepted sooner."),
    "queue_type": N_("A quorum queue writes each message to its log; a classic one need not."),
    "pool": N_("Threads share one interpreter's lock; processes do not. It matters for CPU-bound jobs."),
    "retries": N_("A retry that goes through the queue waits there again."),
    "time_limits": N_("It matters for jobs that do not end."),
    "reports": N_("What is told before the acknowledgement is part of the method's time."),
    "message_size": N_("A longer message takes longer to write and to read."),
    "versions": N_("Each has its own client library."),
}
"""What a difference in a row does to the figures."""


def fairness_table(rows: Sequence[FairnessRow], plan: Plan, _: Translate, *, ran: bool = True) -> Table:
    """What differs between contenders that have a broker comes first, then what differs because `sync` has none,
    then what is equal. `ran` is whether it is of a run, and not of one to come."""
    shown = sorted(((state_of(row, plan), row) for row in rows), key=lambda one: _ORDER.index(one[0]))
    columns = (
        Column(_(N_("What"))),
        *arms(plan, _, numeric=False),
        Column(_(N_("Is it fair?")), numeric=False),
    )
    return Table(columns, tuple(_row(row, state, plan, _, ran) for state, row in shown), kind="fair")


def fairness_said(rows: Sequence[FairnessRow], plan: Plan | None, _: Translate) -> str:
    """What the table comes to."""
    if plan is None or not rows:
        return _(N_("Choose at least one contender to see what differs."))
    states = [state_of(row, plan) for row in rows]
    sentences = [
        _(sentence) % {"n": states.count(state)}
        for state, sentence in (
            ("differs", N_("Rows that differ: %(n)s. Read the figures with them in mind.")),
            ("but-sync", N_("Rows in which only Sync is unlike the others, which have a broker: %(n)s.")),
        )
        if state in states
    ]
    return " ".join(sentences) or _(N_("Nothing that is known: what differs is the method."))


def _row(row: FairnessRow, state: State, plan: Plan, _: Translate, ran: bool) -> Row:
    if row.equal:
        words = [_(N_("equal")), _(N_("made equal"))]
        mark = Cell(", ".join(words if row.done else words[:1]), mark="same")
    else:
        remarks = (_remark(row, state), _switch(plan, ran) if state == "differs" and row.can_equalise else "")
        mark = Cell(_(N_("differs")), mark="unequal", remarks=tuple(_(one) for one in remarks if one))
    cells = (*(Cell(value_text(value, _)) for value in row.values), mark)
    data = {"equal": "true" if row.equal else "false", "state": state, "key": row.key}
    return Row(fairness_title(row.key, _), cells, data)


def _remark(row: FairnessRow, state: State) -> str:
    if state == "but-sync":
        return N_("Sync has no broker and no worker.")
    return N_("It changed while the experiment ran.") if row.changed else _REMARKS.get(row.key, "")


def _switch(plan: Plan, ran: bool) -> str:
    """What the switch to equalise does, or did, to a row that it can change."""
    if not plan.equalise:
        return N_("It was left as it is.") if ran else N_("“Equalise” makes this equal.")
    if ran:
        return N_(
            "It could not be made equal: workers are only made smaller, and tutorial workers not at all."
        )
    return N_("It is made equal before the run begins, as far as workers can be made smaller.")
