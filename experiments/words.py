"""What figures are called, and how their values are written. English, marked for translation."""

import math
from collections.abc import Callable, Mapping
from typing import Final

from experiments.model import Finding, Interval, Mark, label
from experiments.plan import Plan
from transports.methods import N_ as N_

Translate = Callable[[str], str]
"""Puts an English text into the reader's language; what is to be filled in stays to be filled in."""

MIB: Final = 1 << 20


def untranslated(text: str) -> str:
    """`text` as it is: for who reads English."""
    return text


METRIC_TITLES: Final = {
    "submit": N_("Wait of a web page that sends one"),
    "publish": N_("Time to publish"),
    "queue": N_("In the queue"),
    "overhead": N_("Overhead over the asked duration"),
    "report": N_("Report delay"),
    "end_to_end": N_("End to end"),
}
POINT_TITLES: Final = {
    "p50": N_("median"),
    "p90": N_("p90"),
    "p99": N_("p99"),
    "p999": N_("p99.9"),
    "max": N_("longest"),
}
PART_TITLES: Final = {
    "workers": N_("workers"),
    "api": N_("API"),
    "broker": N_("broker"),
    "publisher": N_("publisher"),
}
FAIRNESS_TITLES: Final = {
    "workers": N_("Workers"),
    "hosts": N_("Where they run"),
    "clock": N_("Clock"),
    "concurrency": N_("Concurrency in all"),
    "pool": N_("Kind of pool"),
    "pool_class": N_("Pool, as loaded"),
    "consumer_class": N_("Consumer, as loaded"),
    "code_lines": N_("Lines of the worker’s own code"),
    "prefetch": N_("Prefetch"),
    "connections": N_("Connections to the broker"),
    "acknowledgement": N_("Acknowledgement"),
    "confirms": N_("Publisher confirms"),
    "durability": N_("Durability"),
    "queue_type": N_("Queue type"),
    "redelivery": N_("Delivery limit"),
    "consumer_timeout": N_("Acknowledged within (consumer_timeout)"),
    "broker_version": N_("Broker"),
    "retries": N_("Retries"),
    "time_limits": N_("Time limits"),
    "rate_limits": N_("Rate limit"),
    "reports": N_("Status reports"),
    "results": N_("Results are written to"),
    "events": N_("Events, gossip, mingle"),
    "heartbeat": N_("Heartbeat"),
    "log_level": N_("Log level"),
    "serialisation": N_("Serialisation"),
    "message_size": N_("Size of a message"),
    "versions": N_("Versions"),
}
OUTCOME_TITLES: Final = {
    "failed": N_("Jobs that failed"),
    "retries": N_("Tried again"),
    "duplicates": N_("Unexpected re-runs"),
    "lost": N_("Not ended in time"),
}
ENVIRONMENT_TITLES: Final = {
    "begun_at": N_("Begun"),
    "system": N_("System"),
    "kernel": N_("Kernel"),
    "processor": N_("Processor"),
    "cores": N_("Cores"),
    "memory": N_("Memory"),
    "load": N_("Load at start (1, 5, 15 minutes)"),
    "store": N_("Store"),
    "broker": N_("Broker"),
    "broker_platform": N_("Runs the broker"),
}
MARK_TITLES: Final = {
    "foreign_load": N_("other programs"),
    "growing_queue": N_("more came than was done"),
    "late_sender": N_("late sender"),
    "clock_offset": N_("clocks differ"),
    "outages": N_("broker away"),
    "restarts": N_("worker restarted"),
    "other_tasks": N_("other tasks"),
}
MARK_SENTENCES: Final = {
    "foreign_load": N_(
        "Other programs took a share of the machine: %(told)s. The figures are not of the contenders alone."
    ),
    "growing_queue": N_(
        "More came than was done, and the queue grew: %(told)s. Latencies say how long it ran, not how fast a"
        " contender is."
    ),
    "late_sender": N_(
        "The sender was late: %(told)s. Latency counts from when a job was due, so it has the sender's share in it."
    ),
    "clock_offset": N_(
        "A worker's clock differs from the sender's: %(told)s. Spans between the two are wrong by that."
    ),
    "outages": N_("The broker was away: %(told)s. What jobs waited for it is in the figures."),
    "restarts": N_("Workers restarted: %(told)s."),
    "other_tasks": N_("Workers ran tasks that are not of the experiment: %(told)s."),
}
_MARK_VALUES: Final = {
    "foreign_load": N_("%(value)s %%"),
    "growing_queue": N_("%(of)s/s offered, %(value)s/s done"),
    "late_sender": N_("up to %(value)s s"),
    "clock_offset": N_("%(value)s s"),
}
GLANCE: Final = (
    "throughput",
    "end_to_end.p50",
    "end_to_end.p99",
    "queue.p50",
    "overhead.p50",
    "cpu.workers",
    "memory.workers",
    "per_job.bytes",
)
"""The figures to look at first, most telling first."""

_NOTHING: Final = 1e-9
"""What is less than this comes of the arithmetic."""

_LONG_MS: Final = 10_000
"""From here on, seconds are easier to read."""

_DECIMAL: Final = N_("1.5")
_THROUGHPUT: Final = N_("Throughput")
_CPU: Final = N_("CPU time a job, %(part)s")
_MEMORY: Final = N_("Memory, %(part)s")
_PER_JOB: Final = {"bytes": N_("Bytes a job")}
_AT_LEAST: Final = N_("differs, at least %(least)s×")
_ANSWERS: Final = {
    Finding.DIFFERS: N_("differs"),
    Finding.EQUAL: N_("equal within %(margin)s %%"),
    Finding.UNKNOWN: N_("not known"),
}
_BOUNDS: Final = N_("%(low)s to %(high)s")
_UNITS: Final = {
    "throughput": N_("jobs/s"),
    "bytes": N_("bytes"),
    "ms": N_("ms"),
    "s": N_("s"),
    "memory": N_("MiB"),
}


def named(plan: Plan, place: int, _: Translate = untranslated) -> str:
    """The label of the arm at `place` as a sentence has it: its comma would read as the sentence's."""
    return _(N_("“%(name)s”")) % {"name": label(plan, place, _)}


def in_language(name: str, _: Translate) -> str:
    """An arm's label that was stored in English, as it is called in the language of `_`."""
    called, space, number = name.rpartition(" ")
    return f"{_(called)}{space}{number}" if number.isdecimal() else _(name)


def title_of(key: str, _: Translate = untranslated) -> str:
    """What the figure `key` is called, such as "End to end, p99"."""
    kind, _dot, rest = key.partition(".")
    if kind in METRIC_TITLES:
        return f"{_(METRIC_TITLES[kind])}, {_(POINT_TITLES[rest])}"
    if kind in ("cpu", "memory"):
        return _(_CPU if kind == "cpu" else _MEMORY) % {"part": _(PART_TITLES[rest])}
    return _(_PER_JOB[rest] if kind == "per_job" else _THROUGHPUT)


def unit_of(key: str, _: Translate = untranslated, size: float = 0.0) -> str:
    """The unit in which the figure `key` is shown, beside others as great as `size`."""
    kind, _dot, rest = key.partition(".")
    name = {"throughput": "throughput", "memory": "memory", "per_job": rest}.get(kind, "ms")
    unit = _UNITS["s" if name == "ms" and size >= _LONG_MS else name]
    return _(unit)


def fairness_title(key: str, _: Translate = untranslated) -> str:
    """What the fairness row `key` is called."""
    return _(FAIRNESS_TITLES[key]) if key in FAIRNESS_TITLES else key.replace("_", " ").capitalize()


def environment_facts(environment: Mapping[str, str], _: Translate = untranslated) -> dict[str, str]:
    """The parts of an environment by what they are called; a package is called as it calls itself."""
    return {
        _(ENVIRONMENT_TITLES.get(name, name)): decimal(value, _) if name in ("memory", "load") else value
        for name, value in environment.items()
    }


def decimal(digits: str, _: Translate = untranslated) -> str:
    """`digits` with a point, such as "0.25", with the decimal sign of the language of `_`."""
    return digits.replace(".", _(_DECIMAL)[1])


def number(value: float, _: Translate = untranslated) -> str:
    """`value` with three digits that count, and no fewer than its whole part has; a whole number as it is."""
    if value < 0:
        return f"\N{MINUS SIGN}{number(-value, _)}"
    if value >= 10_000:
        return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    if abs(value) < _NOTHING or isinstance(value, int):
        return f"{value:.0f}"
    if value < 0.001:
        return decimal(f"{value:.1g}", _)
    return decimal(f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3}f}", _)


def shown(key: str, value: float, _: Translate = untranslated, size: float = 0.0) -> str:
    """`value` of the figure `key` in the unit that `unit_of` names for `size`."""
    long = size >= _LONG_MS and unit_of(key) == "ms"
    return number(value / (MIB if key.startswith("memory.") else 1_000 if long else 1), _)


def signed(key: str, value: float, _: Translate = untranslated, size: float = 0.0) -> str:
    """A difference in the figure `key`, as `shown` writes it, with its sign."""
    return f"+{shown(key, value, _, size)}" if value > 0 else shown(key, value, _, size)


def interval_text(key: str, interval: Interval, _: Translate = untranslated) -> str:
    """The value of `interval` with its bounds: "12.4 (12.1 to 12.7)"; without them, the value alone."""
    value, bounds = shown(key, interval.value, _), bounds_text(key, interval, _)
    return f"{value} ({bounds})" if bounds else value


def ratio_text(ratio: Interval | None, _: Translate = untranslated) -> str:
    """A ratio with its bounds: "1.82× (1.79 to 1.85)"; "" if there is none."""
    if ratio is None:
        return ""
    bounds = ratio_bounds(ratio, _)
    return f"{number(ratio.value, _)}×" + (f" ({bounds})" if bounds else "")


def ratio_bounds(ratio: Interval, _: Translate = untranslated) -> str:
    """The bounds of a ratio alone; "" where it has none."""
    if ratio.low is None or ratio.high is None:
        return ""
    return _(_BOUNDS) % {"low": number(ratio.low, _), "high": number(ratio.high, _)}


def mark_text(kind: str, mark: Mark, _: Translate = untranslated) -> str:
    """How bad it was: "23 %", "300/s offered, 40/s done", a count."""
    value = mark.value
    if kind == "growing_queue":
        value = (mark.of or 0.0) - value
    elif kind == "foreign_load":
        value *= 100
    text = _(_MARK_VALUES[kind]) if kind in _MARK_VALUES else "%(value)s"
    whole = kind not in _MARK_VALUES or kind == "foreign_load"
    return text % {
        "value": number(round(value) if whole else round(value, 3), _),
        "of": number(mark.of or 0.0, _),
    }


def answer_text(
    answer: Finding, margin: float, _: Translate = untranslated, ratio: Interval | None = None
) -> str:
    """What the repetitions say of two arms whose `ratio` is known, in a few words."""
    if answer is Finding.DIFFERS and ratio is not None and ratio.low is not None and ratio.high is not None:
        least = max(ratio.low, 1 / ratio.high)
        places = 0 if least >= 100 else 1 if least >= 10 else 2 if least >= 1.01 else 3
        # Rounded down: 1.497 is not "at least 1.50".
        down = math.floor(least * 10**places) / 10**places
        return _(_AT_LEAST) % {"least": decimal(f"{down:.{places}f}", _)}
    return _(_ANSWERS[answer]) % {"margin": percent(margin, _)}


def percent(share: float, _: Translate = untranslated) -> str:
    """A share as a number of percent, without the sign."""
    return decimal(f"{100 * share:.3g}", _)


def bounds_text(
    key: str, interval: Interval, _: Translate = untranslated, size: float = 0.0, *, sign: bool = False
) -> str:
    """The bounds of `interval` alone, with their signs if asked for; "" where it has none."""
    if interval.low is None or interval.high is None:
        return ""
    write = signed if sign else shown
    low, high = write(key, interval.low, _, size), write(key, interval.high, _, size)
    return _(_BOUNDS) % {"low": low, "high": high}
