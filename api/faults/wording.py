"""A fault run in the reader's language: how far it is, its figures as tables, what came of a prediction."""

from collections.abc import Mapping
from typing import Final

from api.web.i18n import duration, moment, number, seconds
from api.web.wording import gettext, ngettext
from experiments.tables import NOTHING, Cell, Column, Row, Table
from faults.cards import CARDS
from faults.document import ArmFigures, FaultDocument, FaultStatus, Said
from faults.judge import BY_BROKER, BY_LETTERS, IN_OUTBOX, NOWHERE
from faults.timeline import arm_label

DECISIVE: Final = ("lost", "doubled")


def figure_titles() -> dict[str, str]:
    """What the counters are called, in Jepsen's words, and the figures beside them."""
    return {
        "accepted": gettext("accepted"),
        "confirmed": gettext("confirmed"),
        "done_once": gettext("done once"),
        "lost": gettext("lost"),
        "doubled": gettext("ran twice"),
        "recovered": gettext("recovered"),
        "first_success_s": gettext("first success after the fault"),
        "longest_gap_s": gettext("longest gap"),
        "recovery_ratio": gettext("recovery ÷ baseline"),
    }


def settings_of(run: FaultDocument) -> str:
    """What was asked for, in one line."""
    jobs = ngettext("%(n)s job", "%(n)s jobs", run.jobs, n=number(run.jobs))
    each = gettext("%(seconds)s each", seconds=seconds(run.seconds))
    seed = gettext("seed %(seed)s", seed=run.seed)
    return f"{jobs}, {each} · {seed} · {gettext(CARDS[run.card].strength.label)}: {number(run.strength)}"


def step(run: FaultDocument) -> str:
    """What a run is doing."""
    if run.status is FaultStatus.PENDING:
        return gettext("Its turn has not come: another run is under way.")
    begun = [phase for phase, (_begin, end) in run.phases.items() if end is None]
    said = {
        "baseline": gettext("Baseline: the jobs run undisturbed."),
        "fault": gettext("The fault is in effect."),
        "recovery": gettext("Recovery: waiting for what is left."),
    }
    if begun:
        return said.get(begin_last := begun[-1], begin_last)
    return (
        gettext("The run is being judged.")
        if run.phases
        else gettext("A lab of its own is starting: broker, API, workers.")
    )


def share(run: FaultDocument) -> float | None:
    """The share of its jobs that have ended; None before the first."""
    ended = sum(figures.done_once + figures.doubled for figures in run.arms.values())
    return ended / (run.jobs * len(run.arms)) if ended else None


def when(run: FaultDocument) -> str:
    """When it was asked for, and how long its load ran."""
    at = gettext("%(at)s UTC", at=moment(run.created_at))
    spans = [end for _begin, end in run.phases.values() if end is not None]
    return f"{at} · {duration(max(spans))}" if spans and run.ended else at


def agreement(run: FaultDocument) -> str:
    """Whether ledger, store and broker say the same; nothing while that is not known."""
    if run.agrees is None:
        return ""
    if run.agrees:
        return gettext("The jobs’ own ledger, the store and the broker agree.")
    return gettext("The jobs’ own ledger, the store and the broker do not agree:")


def headline(run: FaultDocument) -> str:
    """The outcome in one line, for lists."""
    if run.status is not FaultStatus.DONE:
        return trouble(run)
    said = [
        gettext(
            "%(who)s: lost %(lost)s, ran twice %(doubled)s",
            who=label(arm),
            lost=one.lost,
            doubled=one.doubled,
        )
        for arm, one in run.arms.items()
    ]
    return " · ".join(said)


def trouble(run: FaultDocument) -> str:
    """Why a run did not come to its end; nothing for any other."""
    if run.status is FaultStatus.CANCELLED:
        return gettext("It was cancelled; the fault was undone.")
    if run.status is not FaultStatus.FAILED:
        return ""
    if (run.error or "").startswith("interrupted"):
        return gettext("Interrupted: the process that ran it has ended. What it had started ended with it.")
    return run.error or gettext("It failed.")


def label(arm: str) -> str:
    """What the contender is called."""
    return arm_label(arm, gettext)


def figures_table(run: FaultDocument) -> Table:
    """The counters of each contender."""
    titles = figure_titles()
    columns = [Column(gettext("Contender")), *(Column(title) for title in titles.values())]
    rows = [
        Row(label(arm), tuple(_cell(run, figures, name) for name in titles), {"arm": arm})
        for arm, figures in run.arms.items()
    ]
    return Table(tuple(columns), tuple(rows), gettext("What became of the jobs"))


def prediction_table(run: FaultDocument) -> Table | None:
    """What was predicted beside what came; None where nothing was."""
    head = [
        gettext("Contender"),
        gettext("lost, predicted"),
        gettext("lost, came"),
        gettext("ran twice, predicted"),
        gettext("ran twice, came"),
        gettext("Outcome"),
    ]
    rows = []
    for arm, guess in run.prediction.items():
        if (came := run.arms.get(arm)) is not None:
            pairs = [(guess.lost, came.lost), (guess.doubled, came.doubled)]
            right = all(thought == real for thought, real in pairs)
            word = gettext("as predicted") if right else gettext("not as predicted")
            numbers = [Cell(number(each)) for pair in pairs for each in pair]
            cells = (*numbers, Cell(word, mark="equal" if right else "unequal"))
            rows.append(Row(label(arm), cells, {"arm": arm}))
    return Table(tuple(map(Column, head)), tuple(rows), gettext("Predicted, and came")) if rows else None


def _cell(run: FaultDocument, figures: ArmFigures, name: str) -> Cell:
    value = getattr(figures, name)
    if value is None or (name == "confirmed" and not run.ended):  # which the store is asked at the end
        return Cell(NOTHING)
    if name.endswith("_s"):
        return Cell(duration(value))
    marked = "unequal" if name in DECISIVE and value else ""
    return Cell(number(value), mark=marked)


def estimate(waiting: int, left: float) -> str:
    """How many runs are still to end, and about how long that takes; nothing where none is."""
    if not waiting:
        return ""
    runs = ngettext(
        "%(n)s run is under way or waits", "%(n)s runs are under way or wait", waiting, n=number(waiting)
    )
    minutes = max(1, round(left / 60))
    time = ngettext("%(n)s minute", "%(n)s minutes", minutes, n=number(minutes))
    return gettext("%(runs)s: about %(time)s.", runs=runs, time=time)


def where(place: str | None) -> str:
    """Where a job's message was found, by the judge's words for it."""
    known = {
        BY_BROKER: gettext("in the broker’s queue"),
        BY_LETTERS: gettext("a dead letter"),
        IN_OUTBOX: gettext("with the API, not sent yet"),
        NOWHERE: gettext("in no queue, with no worker, no dead letter"),
    }
    return known.get(place or "", place or "")


def sentence(said: Said) -> str:
    """A sentence of the engine's in the reader's language."""
    return said.text(gettext, number)


def most_of(values: Mapping[str, float]) -> dict[str, str]:
    """Bounds as a form writes them."""
    return {name: f"{value:g}" for name, value in values.items()}
