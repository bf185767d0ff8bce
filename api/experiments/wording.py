"""What the form of experiments says, in the reader's language."""

from api.web import commands
from api.web.i18n import number
from api.web.wording import gettext
from experiments.model import CONTENDERS
from experiments.plan import (
    MAX_ARMS,
    MAX_BYTES,
    MAX_DEADLINE,
    MAX_DURATION,
    MAX_JOBS,
    MAX_PAYLOAD,
    MAX_RATE,
    MAX_REPETITIONS,
    MAX_SECONDS,
    MAX_SEED,
    MAX_SHARE,
    MAX_TASKS,
    MAX_TITLE,
    MAX_VALUES,
    Arm,
)
from transports.methods import contender


def bound(name: str) -> str:
    """What the field `name` takes."""
    to_a_minute = gettext("A number of seconds from 0 to %(most)s.", most=number(MAX_DURATION))
    bounds = {
        "arm": gettext(
            "One to %(most)s contenders; each counts twice where they run against themselves.", most=MAX_ARMS
        ),
        "jobs": gettext("A whole number from 1 to %(most)s.", most=number(MAX_JOBS)),
        "seconds": gettext(
            "A number of seconds above 0, at most %(most)s, that makes no more than %(jobs)s jobs.",
            most=number(MAX_SECONDS),
            jobs=number(MAX_JOBS),
        ),
        "p": gettext("A share from 0 to 1."),
        "fixed": to_a_minute,
        "low": to_a_minute,
        "high": gettext("A number of seconds from the least up to %(most)s.", most=number(MAX_DURATION)),
        "mean": gettext("A number of seconds above 0, at most %(most)s.", most=number(MAX_DURATION)),
        "values": gettext(
            "1 to %(most)s numbers of seconds, each from 0 to %(seconds)s, separated by spaces or lines.",
            most=number(MAX_VALUES),
            seconds=number(MAX_DURATION),
        ),
        "rate": gettext("A number above 0, at most %(most)s.", most=number(MAX_RATE)),
        "share": gettext("A number of percent above 0, at most %(most)s.", most=number(100 * MAX_SHARE)),
        "payload_bytes": gettext(
            "A whole number from 0 to %(most)s; all messages together carry no more than %(bytes)s.",
            most=number(MAX_PAYLOAD),
            bytes=number(MAX_BYTES),
        ),
        "repetitions": gettext(
            "A whole number from 1 to %(most)s; all together have no more than %(jobs)s jobs.",
            most=number(MAX_REPETITIONS),
            jobs=number(MAX_TASKS),
        ),
        "seed": gettext("A whole number from 0 to %(most)s.", most=number(MAX_SEED)),
        "deadline": gettext("A number of seconds above 0, at most %(most)s.", most=number(MAX_DEADLINE)),
        "title": gettext("At most %(most)s characters.", most=MAX_TITLE),
    }
    return bounds.get(name, gettext("Choose one of those that are offered."))


def most() -> dict[str, float]:
    """The greatest value of each field that takes a number."""
    return {
        **dict.fromkeys(("fixed", "low", "high", "mean"), MAX_DURATION),
        "p": 1,
        "jobs": MAX_JOBS,
        "seconds": MAX_SECONDS,
        "rate": MAX_RATE,
        "share": 100 * MAX_SHARE,
        "payload_bytes": MAX_PAYLOAD,
        "repetitions": MAX_REPETITIONS,
        "seed": MAX_SEED,
        "deadline": MAX_DEADLINE,
    }


def seconds_need_a_rate() -> str:
    """Why a burst takes no seconds."""
    return gettext("Seconds go with a steady rate: a burst takes a number of jobs.")


def nobody(arm: Arm) -> str:
    """That no worker answers that would take the jobs of `arm`; what starts one comes after it."""
    absent = contender(arm.method, arm.delivery).absent
    return gettext(absent) if absent else ""


def no_worker(arm: Arm) -> str:
    """Why an experiment does not start, and what to start first."""
    return f"{nobody(arm)} {commands.whole(commands.worker_command(arm.method, arm.delivery))}"


def contenders() -> dict[str, str]:
    """What sets each contender apart, in a few words."""
    return {name: gettext(contender(arm.method, arm.delivery).about) for name, arm in CONTENDERS.items()}


def presets() -> dict[str, tuple[str, str]]:
    """The name of each preset, and what it shows."""
    return {
        "burst": (gettext("Burst of no-ops"), gettext("what a job costs on its way, and nothing else")),
        "half-load": (gettext("Open loop at half load"), gettext("how long a job waits on an ordinary day")),
        "equal": (gettext("A/A check"), gettext("the same twice: how much chance there is in the figures")),
    }
