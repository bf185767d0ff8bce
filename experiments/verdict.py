"""What an experiment says, in sentences: who is faster and by how much, or that no difference is shown."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from experiments.intervals import MINIMUM
from experiments.model import Comparison, Experiment, Total, label
from experiments.totals import headline
from experiments.words import (
    N_,
    Translate,
    fairness_title,
    shown,
    signed,
    title_of,
    unit_of,
    untranslated,
)

HIGHER_IS_BETTER: Final = frozenset({"throughput"})

_MORE: Final = N_(
    "%(better)s ended %(times)s times as many jobs a second as %(worse)s: %(best)s against %(rest)s; %(size)s jobs a"
    " second more, by its interval %(low)s to %(high)s."
)
_SHORTER: Final = N_(
    "%(figure)s: %(better)s is faster than %(worse)s, %(best)s against %(rest)s %(unit)s; %(size)s %(unit)s less, by"
    " its interval %(low)s to %(high)s, and the other takes %(times)s times as long."
)
_NONE_SHOWN: Final = N_(
    "%(figure)s: no difference shown between %(one)s (%(first)s %(unit)s) and %(other)s (%(second)s %(unit)s); by"
    " its interval the latter may lie anywhere from %(low)s to %(high)s %(unit)s off."
)
_TOO_FEW: Final = N_(
    "Too few repetitions to tell chance from difference: at least %(least)s are needed, five are better."
)
_ALONE: Final = N_("Only one contender: there is nothing to compare it with.")
_NOTHING: Final = N_("Nothing was measured.")
_STOPPED: Final = N_("It did not run to its end; this is of the turns that did.")
_LOST: Final = N_(
    "Jobs that had not ended in time: %(counts)s. They are in no latency, which looks better for it."
)
_DUPLICATES: Final = N_("Jobs begun once more without being asked to: %(counts)s.")
_FAILED: Final = N_("Jobs that failed: %(counts)s.")
_UNEQUAL: Final = N_("Not alike for all: %(rows)s. What differs there is in the figures too.")


@dataclass(frozen=True)
class Verdict:
    """Sentences on the headline figures, each pair of arms in turn, and warnings on how far they go."""

    sentences: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def line(self) -> str:
        """The verdict where there is room for one sentence."""
        return self.sentences[0] if self.sentences else ""


def verdict_of(experiment: Experiment, _: Translate = untranslated) -> Verdict:
    """The verdict on `experiment`, in the language of `_`."""
    return Verdict(tuple(_sentences(experiment, _)), tuple(_warnings(experiment, _)))


def _sentences(experiment: Experiment, _: Translate) -> list[str]:
    if not experiment.totals:
        return [_(_NOTHING)] if experiment.finished_us is not None else []
    if len(experiment.plan.arms) == 1:
        return [_(_ALONE)]
    wanted = headline(experiment.plan)
    found = [comparison for comparison in experiment.comparisons if comparison.figure in wanted]
    told = [_told(experiment, one, _) for one in found if one.difference.low is not None]
    return told if len(told) == len(found) > 0 else [*told, _(_TOO_FEW) % {"least": MINIMUM}]


def _told(experiment: Experiment, found: Comparison, _: Translate) -> str:
    key, difference = found.figure, found.difference
    low, high = difference.low or 0.0, difference.high or 0.0
    values = {total.arm: total.figures[key].value for total in experiment.totals if key in total.figures}
    first, second = values[found.first], values[found.second]
    said = {"figure": title_of(key, _), "unit": unit_of(key, _)}
    if not found.shown:
        return _(_NONE_SHOWN) % {
            **said,
            "one": label(experiment.plan, found.first),
            "other": label(experiment.plan, found.second),
            "first": shown(key, first),
            "second": shown(key, second),
            "low": signed(key, low),
            "high": signed(key, high),
        }
    second_wins = (difference.value > 0) is (key in HIGHER_IS_BETTER)
    better, worse = (found.second, found.first) if second_wins else (found.first, found.second)
    size = sorted((abs(low), abs(high)))
    smaller, larger = sorted((first, second))
    return _(_MORE if key in HIGHER_IS_BETTER else _SHORTER) % {
        **said,
        "better": label(experiment.plan, better),
        "worse": label(experiment.plan, worse),
        "best": shown(key, values[better]),
        "rest": shown(key, values[worse]),
        "size": shown(key, abs(difference.value)),
        "low": shown(key, size[0]),
        "high": shown(key, size[1]),
        "times": shown(key, larger / smaller) if smaller else "∞",
    }


def _warnings(experiment: Experiment, _: Translate) -> Iterable[str]:
    if experiment.totals and experiment.status in ("FAILED", "CANCELLED"):
        yield _(_STOPPED)
    for name, sentence in (("lost", _LOST), ("duplicates", _DUPLICATES), ("failed", _FAILED)):
        if _differs(experiment.totals, name):
            counts = ", ".join(
                f"{label(experiment.plan, total.arm)} {getattr(total, name)}" for total in experiment.totals
            )
            yield _(sentence) % {"counts": counts}
    unequal = [fairness_title(row.key, _) for row in experiment.fairness if not row.equal]
    if unequal:
        yield _(_UNEQUAL) % {"rows": ", ".join(unequal)}


def _differs(totals: Iterable[Total], name: str) -> bool:
    counts = {getattr(total, name) for total in totals}
    # All alike says nothing against a comparison, but a loss is worth a word in any case.
    return counts - {0} != set() if name == "lost" else len(counts) > 1
