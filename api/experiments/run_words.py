"""A run in the reader's language: how far it is, and why it came no further."""

import re
from typing import Final

from api.i18n import duration as measured
from api.i18n import moment
from api.wording import gettext
from experiments.model import Experiment
from experiments.troubles import trouble_text
from experiments.words import in_language
from lab.clock import to_iso

_STEP: Final = re.compile(r"(?:warm-up|turn (?P<turn>[0-9]+) of (?P<all>[0-9]+)), (?P<arm>.+)")


def cancelled(ok: bool) -> str:
    """What is said of an experiment whose cancellation was asked for."""
    if ok:
        return gettext("Cancelled: what has not ended is not counted.")
    return gettext("It has ended before.")


def ended() -> str:
    """What is said aloud when a run has ended while its page was open."""
    return gettext("The experiment has ended.")


def when(experiment: Experiment) -> str:
    """When it was started, and how long it took."""
    at = gettext("%(at)s UTC", at=moment(to_iso(experiment.created_us)))
    if experiment.started_us is None or experiment.finished_us is None:
        return at
    return f"{at} · {measured((experiment.finished_us - experiment.started_us) / 1e6)}"


def step(experiment: Experiment) -> str:
    """What a run is doing: which turn, which contender."""
    if experiment.status == "PENDING":
        return gettext("Its turn has not come: another experiment is running.")
    if experiment.step == "preparing":
        return gettext("Preparing: the workers are looked at, and set alike.")
    known = _STEP.fullmatch(experiment.step)
    if known is None:
        return experiment.step or gettext("It begins.")
    arm = in_language(known["arm"], gettext)
    if known["turn"] is None:
        return gettext("Warming up: %(arm)s", arm=arm)
    return gettext("Turn %(turn)s of %(all)s: %(arm)s", turn=known["turn"], all=known["all"], arm=arm)


def share(progress: float) -> str:
    """How much of the plan is done."""
    return gettext("%(percent)s %% of all jobs", percent=round(progress * 100))


def trouble(experiment: Experiment) -> str:
    """Why an experiment did not come to its end; nothing for any other."""
    if experiment.error is None:
        return gettext("It was cancelled.") if experiment.status == "CANCELLED" else ""
    return trouble_text(experiment.error, gettext)
