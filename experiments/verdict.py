"""What an experiment comes to: who is ahead and by how much, that both are equal, or that it is not known; and what to
do next."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from experiments.fairness_values import state_of
from experiments.intervals import MINIMUM
from experiments.model import Comparison, Experiment, Finding
from experiments.next_steps import NextStep, steps_of
from experiments.plan import Plan, Workload
from experiments.tables import Table
from experiments.totals import headline
from experiments.winners import HIGHER_IS_BETTER, Win, winners_table, wins_of
from experiments.words import (
    MARK_SENTENCES,
    MARK_TITLES,
    N_,
    Translate,
    fairness_title,
    mark_text,
    named,
    number,
    percent,
    shown,
    title_of,
    unit_of,
    untranslated,
)

SENTENCES: Final = 3
"""At most; the table beside them has the rest."""

_MORE: Final = N_(
    "%(better)s ended %(times)s times as many jobs a second as %(worse)s (%(low)s to %(high)s times): %(best)s against"
    " %(rest)s."
)
_SHORTER: Final = N_(
    "%(figure)s: %(worse)s takes %(times)s times as long as %(better)s (%(low)s to %(high)s times): %(rest)s against"
    " %(best)s %(unit)s."
)
_EQUAL: Final = N_(
    "%(figure)s: %(one)s (%(first)s %(unit)s) and %(other)s (%(second)s %(unit)s) are equal within %(margin)s %%: the"
    " ratio is %(low)s to %(high)s."
)
_UNKNOWN: Final = N_(
    "%(figure)s: not known whether %(one)s (%(first)s %(unit)s) and %(other)s (%(second)s %(unit)s) differ: the ratio"
    " is %(low)s to %(high)s."
)
_LEADS: Final = N_(
    "%(figure)s: %(better)s (%(best)s %(unit)s) was ahead of %(worse)s (%(rest)s %(unit)s) in all %(turns)s turns, but"
    " by how much is not known: %(low)s to %(high)s times."
)
_NO_RATIO: Final = N_(
    "%(figure)s: %(one)s (%(first)s %(unit)s) and %(other)s (%(second)s %(unit)s) have no ratio, as one of them is 0."
)
_UNSOUND: Final = N_(
    "%(figure)s: %(one)s and %(other)s cannot be compared. Repetitions in which more than one job in a hundred was"
    " lost or failed: %(counts)s; what is left of them tells nothing of the whole."
)
_TOO_FEW: Final = N_(
    "Too few repetitions to tell chance from difference: at least %(least)s are needed, five are better."
)
_ALONE: Final = N_("Only one contender: there is nothing to compare it with.")
_NOTHING: Final = N_("Nothing was measured.")
_STOPPED: Final = N_("It did not run to its end; this is of the turns that did.")
_LOST: Final = N_(
    "Jobs that had not ended in time: %(counts)s. They are in no latency and in no throughput, which look better for"
    " it."
)
_DUPLICATES: Final = N_("Jobs that began again without being asked to: %(counts)s.")
_FAILED: Final = N_("Jobs that failed: %(counts)s. They count as ended.")
_OTHERS: Final = N_(
    "The intervals of %(figures)s hold all together; the others each by itself, so that with many of them a few will"
    " show a difference by chance."
)
_DISTURBED: Final = N_("Disturbed in several ways: %(kinds)s.")
_CHANGED: Final = N_("Changed while it ran: %(rows)s. The figures are of both.")
_UNEQUAL: Final = N_("Not the same for all: %(rows)s. These differences affect the figures too.")


@dataclass(frozen=True)
class Verdict:
    """What an experiment comes to, as page, terminal and reports tell it, in this order.

    Attributes:
        marks: what disturbed it; the first line names all kinds.
        winners: who is ahead in the headline figures; without rows where there is nothing to compare.
        sentences: at most three.
        steps: what to do next.
        warnings: how far all this goes.
    """

    marks: tuple[str, ...]
    winners: Table
    sentences: tuple[str, ...]
    steps: tuple[NextStep, ...]
    warnings: tuple[str, ...]

    @property
    def line(self) -> str:
        """The verdict where there is room for one line."""
        return " ".join((*self.marks[:1], *self.sentences[:1]))

    @property
    def lines(self) -> list[str]:
        """All of it as sentences, the first line first; the table is left out."""
        return [
            *self.marks,
            *self.sentences,
            *(f"{step.title}. {step.why}" for step in self.steps),
            *self.warnings,
        ]


def verdict_of(experiment: Experiment, _: Translate = untranslated) -> Verdict:
    """The verdict on `experiment`, in the language of `_`."""
    wins = wins_of(experiment)
    return Verdict(
        tuple(_marks(experiment, _)),
        winners_table(experiment, wins, _),
        tuple(_sentences(experiment, wins, _)),
        tuple(steps_of(experiment, wins, _)),
        tuple(_warnings(experiment, _)),
    )


def remark_on_differences(plan: Plan, _: Translate = untranslated) -> str:
    """How far the intervals of differences within an experiment go."""
    return _(_OTHERS) % {"figures": ", ".join(title_of(key, _) for key in headline(plan))}


def _marks(experiment: Experiment, _: Translate) -> Iterator[str]:
    if len(experiment.marks) > 1:
        yield _(_DISTURBED) % {"kinds": ", ".join(_(MARK_TITLES[kind]) for kind in experiment.marks)}
    for kind, marks in experiment.marks.items():
        told = ", ".join(f"{named(experiment.plan, one.arm, _)}: {mark_text(kind, one, _)}" for one in marks)
        yield _(MARK_SENTENCES[kind]) % {"told": told}


def _sentences(experiment: Experiment, wins: Sequence[Win], _: Translate) -> list[str]:
    if not experiment.totals:
        return [_(_NOTHING)] if experiment.finished_us is not None else []
    if len(experiment.plan.arms) == 1:
        return [_(_ALONE)]
    known = [win for win in wins if win.found.difference.low is not None]
    few = [_(_TOO_FEW) % {"least": MINIMUM}] if len(known) < len(wins) or not wins else []
    # Of each figure the first pair first, then the others.
    rank = {id(win): sum(one.found.figure == win.found.figure for one in known[:place])
            for place, win in enumerate(known)}  # fmt: skip
    chosen = sorted(known, key=lambda win: rank[id(win)])[: SENTENCES - len(few)]
    return [*(_told(experiment, win, _) for win in known if win in chosen), *few]


def _told(experiment: Experiment, win: Win, _: Translate) -> str:
    key, found, plan = win.found.figure, win.found, experiment.plan
    if not win.sound:
        return _unsound(experiment, found, _)
    better, worse = (named(plan, arm, _) for arm in (win.ahead, win.behind))
    best, rest = (shown(key, value, _) for value in win.values)
    said = {"figure": title_of(key, _), "unit": unit_of(key, _)}
    said |= {"better": better, "worse": worse, "best": best, "rest": rest}
    # In the order of the plan, where nobody is said to be better.
    first, second = ((better, best), (worse, rest))[:: 1 if win.ahead < win.behind else -1]
    said |= {"one": first[0], "first": first[1], "other": second[0], "second": second[1]}
    ratio, factor = found.ratio, win.factor
    if ratio is None or ratio.low is None or ratio.high is None or factor is None:
        return _(_NO_RATIO) % said
    if found.answer is Finding.DIFFERS or (found.answer is Finding.UNKNOWN and win.won == win.turns):
        ratio = factor
    said |= {
        "times": number(ratio.value, _),
        "low": number(ratio.low or 0, _),
        "high": number(ratio.high or 0, _),
    }
    if found.answer is Finding.EQUAL:
        return _(_EQUAL) % {**said, "margin": percent(plan.margin, _)}
    if found.answer is Finding.UNKNOWN:
        leads = win.won is not None and win.won == win.turns
        return _(_LEADS if leads else _UNKNOWN) % {**said, "turns": win.turns}
    return _(_MORE if key in HIGHER_IS_BETTER else _SHORTER) % said


def _unsound(experiment: Experiment, found: Comparison, _: Translate) -> str:
    """Why the pair cannot be compared."""
    counts = {total.arm: total.unsound for total in experiment.totals}
    one, other = (named(experiment.plan, arm, _) for arm in (found.first, found.second))
    said = f"{one}: {counts[found.first]}, {other}: {counts[found.second]}"
    return _(_UNSOUND) % {"figure": title_of(found.figure, _), "one": one, "other": other, "counts": said}


def _warnings(experiment: Experiment, _: Translate) -> Iterable[str]:
    if experiment.totals and experiment.status in ("FAILED", "CANCELLED"):
        yield _(_STOPPED)
    for name, sentence in (("lost", _LOST), ("duplicates", _DUPLICATES), ("failed", _FAILED)):
        if _is_said(experiment, name):
            yield _(sentence) % {"counts": _counts(experiment, name, _)}
    rows = experiment.fairness
    changed = [row.key for row in rows if row.changed]
    unequal = [row.key for row in rows if not row.changed and state_of(row, experiment.plan) == "differs"]
    for sentence, keys in ((_CHANGED, changed), (_UNEQUAL, unequal)):
        if keys:
            yield _(sentence) % {"rows": ", ".join(fairness_title(key, _) for key in keys)}


def _counts(experiment: Experiment, name: str, _: Translate) -> str:
    """The count `name` of each arm."""
    return ", ".join(
        f"{named(experiment.plan, one.arm, _)}: {getattr(one, name)}" for one in experiment.totals
    )


def _is_said(experiment: Experiment, name: str) -> bool:
    counts = {getattr(total, name) for total in experiment.totals}
    if name == "duplicates" or (name == "failed" and experiment.plan.work is Workload.FAILING):
        return len(counts) > 1  # what comes to all alike says nothing against a comparison
    return any(counts)
