"""The options of `python -m experiments`, and the plan that they make."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click
from pydantic import ValidationError

from experiments import plan as bounds
from experiments.model import CONTENDERS
from experiments.plan import Plan, Reports, Workload
from lab.delivery import Delivery

REPORT_KINDS: Final = ("html", "md", "csv", "json")
DEFAULT_ARMS: Final = tuple(name for name, arm in CONTENDERS.items() if arm.delivery is Delivery.SAFE)

_Command = TypeVar("_Command", bound=Callable[..., Any])

# Where a field of the plan comes from; the longest beginning counts.
_OPTIONS: Final = {
    "arms": "--arm",
    "payload_bytes": "--payload",
    "arrival.spacing": "--spacing",
    "arrival.open.spacing": "--spacing",
    "arrival.share": "--load",
    "arrival.open.share": "--load",
    "arrival": "--rate",
}
_OF_OPEN_LOOP: Final = {"rate": "rate", "share": "load", "spacing": "spacing"}
_NUMBER: Final = r"(\d+(?:\.\d*)?(?:e-?\d+)?)"
_UNIFORM: Final = re.compile(f"uniform:{_NUMBER}-{_NUMBER}")


def _file(name: str) -> dict[str, Any]:
    try:
        fields = json.loads(Path(name).read_text())
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{name} cannot be read: {error}") from error
    if not isinstance(fields, dict):
        raise click.BadParameter(f"{name} holds no plan, which is a JSON object")
    return fields


def _arm(text: str) -> dict[str, str]:
    return dict(zip(("method", "delivery"), text.split(":", 1), strict=False))


def _duration(text: str) -> dict[str, Any]:
    law, colon, rest = text.partition(":")
    if law == "file" and rest:
        try:
            return {"law": "values", "values": [float(word) for word in Path(rest).read_text().split()]}
        except (OSError, ValueError) as error:
            raise click.BadParameter(f"{rest} does not hold numbers of seconds: {error}") from error
    if found := _UNIFORM.fullmatch(text):
        return {"law": "uniform", "low": float(found[1]), "high": float(found[2])}
    try:
        if law == "exponential" and colon:
            return {"law": "exponential", "mean": float(rest)}
        return {"law": "fixed", "seconds": float(text)}
    except ValueError:
        raise click.BadParameter(
            f"{text!r}; it takes seconds, uniform:LOW-HIGH, exponential:MEAN or file:PATH"
        ) from None


def lab_address(text: str) -> str:
    """The address of `--url`.

    Raises:
        click.BadParameter: it is none of HTTP.
    """
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number
        usable = None
    if not usable:
        raise click.BadParameter(f"{text!r}; it takes an address that begins with http:// or https://")
    return text


def report_file(text: str) -> tuple[Path, str]:
    """A file of `--report`, and the kind of report that its ending names.

    Raises:
        click.BadParameter: there is no such kind, or no such folder.
    """
    path = Path(text)
    kind = path.suffix.removeprefix(".")
    if kind not in REPORT_KINDS:
        raise click.BadParameter(f"{text!r} ends in none of .{', .'.join(REPORT_KINDS)}")
    if not path.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.absolute().parent}")
    return path, kind


_PLAN: Final = (
    click.option(
        "--plan", type=_file, metavar="FILE", help="A plan's JSON; the other options are put over it."
    ),
    click.option("--title", help="What the experiment is called."),
    click.option(
        "--arm",
        "arms",
        type=_arm,
        multiple=True,
        metavar="METHOD[:DELIVERY]",
        help=f"celery, rabbitmq or sync, safe or naive: once for each arm, up to {bounds.MAX_ARMS}."
        f"  [default: {', '.join(DEFAULT_ARMS)}]",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(1, bounds.MAX_JOBS),
        help=f"For each arm and repetition.  [default: {bounds.DEFAULT_JOBS}]",
    ),
    click.option(
        "--seconds", type=float, help="Instead of --jobs, with --rate: as many as come in that time."
    ),
    click.option(
        "--work",
        type=click.Choice([work.value for work in Workload]),
        help="What a job does.  [default: wait]",
    ),
    click.option("--p", type=click.FloatRange(0, 1), help="With --work failing: the share that fails."),
    click.option(
        "--duration",
        type=_duration,
        metavar="LAW",
        help="Seconds of a job: 0.01, uniform:0.01-0.05, exponential:0.02, or file:PATH with numbers to draw from.",
    ),
    click.option("--burst", is_flag=True, help="All jobs at once, as by default."),
    click.option(
        "--rate",
        type=click.FloatRange(0, bounds.MAX_RATE, min_open=True),
        help="An open loop: jobs a second, whether or not earlier ones are done.",
    ),
    click.option(
        "--load",
        type=click.FloatRange(0, bounds.MAX_SHARE, min_open=True),
        help="An open loop at this share of what the slowest arm can do, measured first by a short burst: 0.5.",
    ),
    click.option(
        "--spacing", type=click.Choice(["even", "poisson"]), help="Of an open loop.  [default: poisson]"
    ),
    click.option(
        "--reports",
        type=click.Choice([reports.value for reports in Reports]),
        help="Of begin and end: stamped and sent in the background (beside), or asked before the job and told"
        " before the acknowledgement (in_path).  [default: beside]",
    ),
    click.option(
        "--payload",
        "payload_bytes",
        type=click.IntRange(0, bounds.MAX_PAYLOAD),
        help="Bytes that each message carries beside its job.",
    ),
    click.option("--repetitions", type=click.IntRange(1, bounds.MAX_REPETITIONS), help="[default: 5]"),
    click.option("--seed", type=int, help="The same seed gives the same jobs.  [default: 1]"),
    click.option(
        "--deadline",
        type=float,
        help="Seconds after which a repetition's jobs count as lost.  [default: 300]",
    ),
    click.option(
        "--margin",
        type=click.FloatRange(0, 1, min_open=True),
        help="Contenders are equal where their ratio surely lies within 1 ± this share.  [default: 0.05]",
    ),
    click.option("--equalise/--no-equalise", default=None, help="Set alike what can be, as by default."),
    click.option("--warm-up/--no-warm-up", default=None, help="A first turn that does not count."),
)


def plan_options(command: _Command) -> _Command:
    """Gives `command` the options that `plan_of` takes."""
    for option in reversed(_PLAN):
        command = option(command)
    return command


def plan_of(options: Mapping[str, Any]) -> Plan:
    """The plan that the options ask for: those of the file `--plan`, with the others put over them.

    Raises:
        click.UsageError: one of them cannot be used.
    """
    given = {name: value for name, value in options.items() if value not in (None, ())}
    fields = given.pop("plan", {})
    before = fields.pop("arrival", {"law": "burst"})
    burst = given.pop("burst")
    wanted = {field: given.pop(name, None) for field, name in _OF_OPEN_LOOP.items()}
    arrival = _arrival(burst, {field: value for field, value in wanted.items() if value is not None}, before)
    if "jobs" in given or "seconds" in given:
        fields |= {"jobs": None, "seconds": None}
    elif fields.get("jobs") is None and fields.get("seconds") is None:
        fields["jobs"] = bounds.DEFAULT_JOBS
    default = {"arms": [_arm(text) for text in DEFAULT_ARMS]}
    try:
        return Plan.model_validate({**default, **fields, **given, "arrival": arrival})
    except ValidationError as error:
        said = dict.fromkeys(_sentence(fault) for fault in error.errors())
        raise click.UsageError("; ".join(said)) from error


def option_of(field: str) -> str:
    """The option that the plan's `field` comes from, such as `--payload` of `payload_bytes`."""
    found = max((name for name in _OPTIONS if f"{field}.".startswith(f"{name}.")), key=len, default=None)
    return _OPTIONS[found] if found else "--" + field.partition(".")[0].replace("_", "-")


def _arrival(burst: bool, changes: Mapping[str, Any], before: Any) -> Any:
    """Of all jobs at once or of an open loop: `before`, with `changes` put over it."""
    if burst and changes:
        raise click.UsageError("--burst: all jobs at once have neither --rate, --load nor --spacing")
    if burst or not changes:
        return {"law": "burst"} if burst else before
    if {"rate", "share"} <= changes.keys():
        raise click.UsageError("--load: takes the place of --rate")
    former = before if isinstance(before, dict) and before.get("law") == "open" else {}
    if changes.keys() & {"rate", "share"}:
        former = {name: value for name, value in former.items() if name == "spacing"}
    elif not former:
        raise click.UsageError("--spacing: goes with --rate or --load")
    return {**former, "law": "open", **changes}


def _sentence(fault: Any) -> str:
    field = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        return f"--plan: a plan has no {field}"
    return f"{option_of(field) if field else '--jobs, --seconds'}: {message}"
