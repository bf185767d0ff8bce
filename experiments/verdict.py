"""What an experiment says, in sentences: who is faster and by how much, that both are equal, or that it is unknown."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from experiments.fairness_values import state_of
from experiments.intervals import MINIMUM
from experiments.model import Comparison, Experiment, Finding, Mark
from experiments.plan import Plan, Workload
from experiments.totals import headline
from experiments.words import (
    MARK_SENTENCES,
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

HIGHER_IS_BETTER: Final = frozenset({"throughput"})

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
_MORE_WOULD_TELL: Final = N_("Repetitions needed to tell 10 %%: %(more)s more.")
_WOULD_SHOW: Final = N_("A difference of 10 %% would have shown.")
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
_CHANGED: Final = N_("Changed while it ran: %(rows)s. The figures are of both.")
_UNEQUAL: Final = N_("Not the same for all: %(rows)s. These differences affect the figures too.")


@dataclass(frozen=True)
class Verdict:
    """What disturbed the experiment, before anything else; sentences on the headline figures, each pair of arms in
    turn; and warnings on how far they go."""

    marks: tuple[str, ...]
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def line(self) -> str:
        """The verdict where there is room for one line."""
        return " ".join((*self.marks[:1], *self.sentences[:1]))


def verdict_of(experiment: Experiment, _: Translate = untranslated) -> Verdict:
    """The verdict on `experiment`, in the language of `_`."""
    marks = tuple(_marked(experiment, kind, marks, _) for kind, marks in experiment.marks.items())
    return Verdict(marks, tuple(_sentences(experiment, _)), tuple(_warnings(experiment, _)))


def remark_on_differences(plan: Plan, _: Translate = untranslated) -> str:
    """How far the intervals of differences within an experiment go."""
    return _(_OTHERS) % {"figures": ", ".join(title_of(key, _) for key in headline(plan))}


def _marked(experiment: Experiment, kind: str, marks: Iterable[Mark], _: Translate) -> str:
    told = ", ".join(f"{named(experiment.plan, one.arm, _)}: {mark_text(kind, one, _)}" for one in marks)
    return _(MARK_SENTENCES[kind]) % {"told": told}


def _sentences(experiment: Experiment, _: Translate) -> list[str]:
    if not experiment.totals:
        return [_(_NOTHING)] if experiment.finished_us is not None else []
    if len(experiment.plan.arms) == 1:
        return [_(_ALONE)]
    wanted = headline(experiment.plan)
    found = [comparison for comparison in experiment.comparisons if comparison.figure in wanted]
    told = [
        _unsound(experiment, one, _) or _told(experiment, one, _)
        for one in found
        if one.difference.low is not None
    ]
    return told if len(told) == len(found) > 0 else [*told, _(_TOO_FEW) % {"least": MINIMUM}]


def _told(experiment: Experiment, found: Comparison, _: Translate) -> str:
    key, ratio = found.figure, found.ratio
    first, second = found.means or _means(experiment, found)
    one, other = (named(experiment.plan, arm, _) for arm in (found.first, found.second))
    said = {"figure": title_of(key, _), "unit": unit_of(key, _), "one": one, "other": other}
    said |= {"first": shown(key, first, _), "second": shown(key, second, _)}
    if ratio is None or ratio.low is None or ratio.high is None:
        return _(_NO_RATIO) % said
    low, times, high = ratio.low, ratio.value, ratio.high
    if found.answer is not Finding.DIFFERS:
        said |= {"low": number(low, _), "high": number(high, _)}
        if found.answer is Finding.EQUAL:
            return _(_EQUAL) % {**said, "margin": percent(experiment.plan.margin, _)}
        sentences = [_(_UNKNOWN) % said]
        if found.more is not None:
            sentences.append(_(_MORE_WOULD_TELL if found.more else _WOULD_SHOW) % {"more": found.more})
        return " ".join(sentences)
    if times < 1:
        low, times, high = 1 / high, 1 / times, 1 / low
    else:
        one, other, first, second = other, one, second, first
    # Now `one` has the greater value.
    rate = key in HIGHER_IS_BETTER
    better, worse, best, rest = (one, other, first, second) if rate else (other, one, second, first)
    return _(_MORE if rate else _SHORTER) % {
        **said,
        "better": better,
        "worse": worse,
        "best": shown(key, best, _),
        "rest": shown(key, rest, _),
        "times": number(times, _),
        "low": number(low, _),
        "high": number(high, _),
    }


def _means(experiment: Experiment, found: Comparison) -> tuple[float, float]:
    values = {total.arm: total.figures[found.figure].value for total in experiment.totals}
    return values[found.first], values[found.second]


def is_sound(experiment: Experiment, found: Comparison) -> bool:
    """Whether the two arms can be compared: hardly a job of either was lost or failed."""
    return not any(total.unsound for total in experiment.totals if total.arm in (found.first, found.second))


def _unsound(experiment: Experiment, found: Comparison, _: Translate) -> str:
    """Why the pair cannot be compared; "" where it can."""
    if is_sound(experiment, found):
        return ""
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
