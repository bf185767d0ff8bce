"""Who is ahead in each of the figures that the verdict goes by, of whom, by how much, and in how many turns."""

from collections.abc import Iterator
from itertools import combinations
from typing import Final, NamedTuple

from experiments.model import Comparison, Experiment, Finding, Interval, label
from experiments.plan import Plan
from experiments.tables import NOTHING, Cell, Column, Row, Table
from experiments.totals import headline
from experiments.words import (
    N_,
    Translate,
    answer_text,
    number,
    ratio_bounds,
    shown,
    title_of,
    unit_of,
)
from transports.methods import METHODS

HIGHER_IS_BETTER: Final = frozenset({"throughput"})

_MORE_WOULD_TELL: Final = N_("%(n)s more repetitions would tell 10 %%")
_WOULD_SHOW: Final = N_("10 %% would have shown")
_WON: Final = N_("won %(won)s of %(all)s turns")
_SPACE: Final = "\N{NO-BREAK SPACE}"


class Win(NamedTuple):
    """The arm that is ahead in a figure, beside another one.

    Attributes:
        ahead, behind: places in the plan.
        values: of the two, in that order, over the turns that both ran.
        factor: how many times better the one ahead is, above 1; None where one of the values is 0.
        won: of so many `turns` the one ahead won; None where that was not kept.
        sound: whether hardly a job of either was lost or failed.
    """

    found: Comparison
    ahead: int
    behind: int
    values: tuple[float, float]
    factor: Interval | None
    won: int | None
    turns: int | None
    sound: bool


def wins_of(experiment: Experiment) -> list[Win]:
    """For each headline figure first Celery against RabbitMQ, where both deliver alike; then the best arm against each
    of the others, the next best first, and last those that lost or failed too much."""
    return [win for key in headline(experiment.plan) for win in _of_figure(experiment, key)]


def is_sound(experiment: Experiment, found: Comparison) -> bool:
    """Whether the two arms can be compared: hardly a job of either was lost or failed."""
    return not any(total.unsound for total in experiment.totals if total.arm in (found.first, found.second))


def winners_table(experiment: Experiment, wins: list[Win], _: Translate) -> Table:
    """A row for each of `wins`."""
    head = (N_("Figure"), N_("Ahead"), N_("Behind"), N_("By"), N_("Turns"), N_("Answer"))
    columns = tuple(Column(_(title), numeric=False) for title in head)
    return Table(columns, tuple(_row(experiment, win, _) for win in wins), kind="winners")


def answer_cell(found: Comparison, sound: bool, margin: float, _: Translate) -> Cell:
    """What the repetitions say of two arms, with what more of them would tell where that is not known."""
    if not sound:
        return Cell(_(N_("cannot be compared")), mark="unsound")
    if found.difference.low is None:
        return Cell(_(N_("too few repetitions")), mark=Finding.UNKNOWN.value)
    remarks: tuple[str, ...] = ()
    if found.answer is Finding.UNKNOWN and found.more is not None:
        remarks = (_(_MORE_WOULD_TELL if found.more else _WOULD_SHOW) % {"n": found.more},)
    return Cell(answer_text(found.answer, margin, _, found.ratio), mark=found.answer.value, remarks=remarks)


def _of_figure(experiment: Experiment, key: str) -> Iterator[Win]:
    pairs = {(one.first, one.second): one for one in experiment.comparisons if one.figure == key}
    sign = -1 if key in HIGHER_IS_BETTER else 1
    order = sorted(
        (total for total in experiment.totals if key in total.figures),
        key=lambda total: (total.unsound > 0, sign * total.figures[key].value),
    )
    places = [total.arm for total in order]
    behind = [(min(places[0], other), max(places[0], other)) for other in places[1:]]
    for sides in dict.fromkeys((*_rivals(experiment.plan), *behind)):
        if pair := pairs.get(sides):
            yield _win(experiment, pair)


def _rivals(plan: Plan) -> Iterator[tuple[int, int]]:
    """The pairs that the lab is there to compare, whichever arm is the fastest: two methods with a broker in the same
    mode of delivery."""
    brokered = [place for place, arm in enumerate(plan.arms) if METHODS[arm.method].queue]
    for first, second in combinations(brokered, 2):
        one, other = plan.arms[first], plan.arms[second]
        if one.method != other.method and one.delivery is other.delivery:
            yield first, second


def _win(experiment: Experiment, found: Comparison) -> Win:
    values, greater = found.means or _means(experiment, found), found.greater or (None, None)
    higher, sides = found.figure in HIGHER_IS_BETTER, (found.first, found.second)
    sound, unsound = is_sound(experiment, found), {total.arm: total.unsound for total in experiment.totals}
    turned = values[1] > values[0] if higher else values[1] < values[0]
    if not sound:  # who lost jobs wins nothing
        turned = unsound[found.first] > unsound[found.second]
    if turned:
        values, greater, sides = values[::-1], greater[::-1], sides[::-1]
    return Win(
        found,
        *sides,
        values=values,
        factor=found.ratio
        if turned is higher
        else _inverse(found.ratio),  # it is the second's to the first's
        won=greater[0 if higher else 1],
        turns=found.turns,
        sound=sound,
    )


def _inverse(ratio: Interval | None) -> Interval | None:
    if ratio is None:
        return None
    low, high = (None if bound is None else 1 / bound for bound in (ratio.high, ratio.low))
    return Interval(value=1 / ratio.value, low=low, high=high)


def _means(experiment: Experiment, found: Comparison) -> tuple[float, float]:
    values = {total.arm: total.figures[found.figure].value for total in experiment.totals}
    return values[found.first], values[found.second]


def _row(experiment: Experiment, win: Win, _: Translate) -> Row:
    plan, key = experiment.plan, win.found.figure
    size = max(win.values)
    sides = (
        Cell(label(plan, arm, _), remarks=(f"{shown(key, value, _, size)}{_SPACE}{unit_of(key, _, size)}",))
        for arm, value in zip((win.ahead, win.behind), win.values, strict=True)
    )
    by = Cell(NOTHING)
    if win.factor is not None and win.sound:
        by = Cell(f"{number(win.factor.value, _)}×", ratio_bounds(win.factor, _))
    won = NOTHING if win.won is None or not win.sound else _(_WON) % {"won": win.won, "all": win.turns}
    answer = answer_cell(win.found, win.sound, plan.margin, _)
    data = {"figure": key, "answer": answer.mark, "method": plan.arms[win.ahead].method}
    return Row(title_of(key, _), (*sides, by, Cell(won), answer), data)
