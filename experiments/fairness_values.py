"""What stands in the table of differences, in the reader's language, and what it means for the comparison."""

import re
from typing import Final, Literal

from experiments.model import FairnessRow
from experiments.plan import Plan
from experiments.words import N_, Translate, decimal, untranslated
from transports.configuration import NONE
from transports.methods import SYNC

State = Literal["differs", "but-sync", "equal"]

_VALUES: Final = frozenset(
    {
        N_("after the job"),
        N_("when the job begins"),
        N_("none"),
        N_("queue and messages"),
        N_("begin before the job, end before the acknowledgement"),
        N_("begin before the job, end after it"),
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
        N_("this machine"),
        N_("as the API's"),
        N_("this machine (a process beside the API)"),
        N_("changed by the lab"),
        N_("Celery cannot – the lab adds dead letters of what cannot be read"),
        N_("stamped where the job runs, sent in the background"),
    }
)
_SEPARATORS: Final = (" \N{RIGHTWARDS ARROW} ", "; ", ", ")
_COUNTS: Final = {
    "times": N_("%(n)s×"),
    "at once": N_("%(n)s at once"),
    "bytes": N_("%(n)s B"),
    "seconds": N_("%(n)s s"),
    "seconds ahead": N_("%(n)s s ahead"),
    "seconds behind": N_("%(n)s s behind"),
}
_NAMED: Final = {
    "changed by the lab: ": N_("changed by the lab: %(what)s"),
    "RabbitMQ's default: ": N_("RabbitMQ’s default: %(what)s"),
}
_COUNTED: Final = re.compile(rf"([0-9.]+) ({'|'.join(_COUNTS)})")


def value_text(text: str, _: Translate = untranslated) -> str:
    """What a row says of an arm: of several workers, or before and after. What workers tell of themselves
    stays as it is."""
    if text in _VALUES:
        return _(text)
    if counted := _COUNTED.fullmatch(text):
        return _(_COUNTS[counted[2]]) % {"n": decimal(counted[1], _)}
    for begin, words in _NAMED.items():
        if text.startswith(begin):
            return _(words) % {"what": value_text(text.removeprefix(begin), _)}
    separator = next((one for one in _SEPARATORS if one in text), None)
    if separator is None:
        return text
    return separator.join(value_text(part, _) for part in text.split(separator))


def state_of(row: FairnessRow, plan: Plan) -> State:
    """ "but-sync" where all arms have the same value but those of `sync`, which have no broker and so none at all."""
    if row.equal or row.changed:
        return "equal" if row.equal else "differs"
    pairs = list(zip(plan.arms, row.values, strict=False))
    mine = {text for arm, text in pairs if arm.method == SYNC.name}
    others = {text for arm, text in pairs if arm.method != SYNC.name}
    return "but-sync" if mine == {NONE} and len(others) == 1 else "differs"
