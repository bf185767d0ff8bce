"""The options of `python -m experiments`, and the plan that they make."""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from pydantic import ValidationError

from experiments.plan import MAX_ARMS, MAX_JOBS, MAX_PAYLOAD, MAX_REPETITIONS, Plan, Reports, Work

REPORT_KINDS: Final = ("html", "md", "csv", "json")
DEFAULT_ARMS: Final = ("celery:safe", "rabbitmq:safe", "sync")
DEFAULT_JOBS: Final = 200
MAX_CONCURRENCY: Final = 64
DEFAULT_CONCURRENCY: Final = 3

# Where a field of the plan comes from; the longest beginning counts.
_OPTIONS: Final = {
    "arms": "--arm",
    "payload_bytes": "--payload",
    "arrival.spacing": "--spacing",
    "arrival.open.spacing": "--spacing",
    "arrival": "--rate",
}
_NUMBER: Final = r"(\d+(?:\.\d*)?(?:e-?\d+)?)"
_UNIFORM: Final = re.compile(f"uniform:{_NUMBER}-{_NUMBER}")


class OptionError(ValueError):
    """An option that cannot be used; the message names it and says what it takes."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise OptionError(message.removeprefix("argument "))


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; it raises OptionError where argparse would exit."""
    top = _Parser(
        prog="python -m experiments", description="Runs experiments on a lab and shows what they found."
    )
    top.set_defaults(own=False, concurrency=None)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run an experiment to its end")
    _add_plan(run)
    _add_lab(run)
    _add_output(run)
    run.add_argument("--own", action="store_true", help="start a lab of its own for this run, and end it")
    run.add_argument(
        "--concurrency",
        type=int,
        metavar="N",
        help=f"with --own: jobs that each worker runs at once (default {DEFAULT_CONCURRENCY})",
    )
    plan = commands.add_parser("plan", help="print the plan's JSON, for --plan, and run nothing")
    _add_plan(plan)

    listing = commands.add_parser("list", help="the experiments of the lab, newest first")
    show = commands.add_parser("show", help="what an experiment has found")
    cancel = commands.add_parser("cancel", help="cancel an experiment")
    compare = commands.add_parser("compare", help="two experiments side by side")
    for command, *names in ((listing,), (show, "id"), (cancel, "id"), (compare, "one", "other")):
        for name in names:
            command.add_argument(name, metavar="ID", help="an experiment's id, or its beginning")
        _add_lab(command)
    _add_output(show)
    listing.add_argument("--json", action="store_true", help="as JSON")
    compare.add_argument("--json", action="store_true", help="as JSON")
    return top


def plan_of(options: argparse.Namespace) -> Plan:
    """The plan that the options ask for: those of the file `--plan`, with the others put over them.

    Raises:
        OptionError: one of them cannot be used.
    """
    fields = _file(options.plan) if options.plan else {}
    if options.arm or "arms" not in fields:
        fields["arms"] = [_arm(text) for text in options.arm or DEFAULT_ARMS]
    if options.jobs is not None or options.seconds is not None:
        fields |= {"jobs": options.jobs, "seconds": options.seconds}
    elif fields.get("jobs") is None and fields.get("seconds") is None:
        fields["jobs"] = DEFAULT_JOBS
    if options.duration is not None:
        fields["duration"] = _duration(options.duration)
    fields["arrival"] = _arrival(options, fields.get("arrival", {"law": "burst"}))
    for name in ("title", "work", "p", "reports", "repetitions", "seed", "deadline", "equalise", "warm_up"):
        if (value := getattr(options, name)) is not None:
            fields[name] = value
    if options.payload is not None:
        fields["payload_bytes"] = options.payload
    try:
        return Plan.model_validate(fields)
    except ValidationError as error:
        raise OptionError("; ".join(dict.fromkeys(_sentence(fault) for fault in error.errors()))) from error


def option_of(field: str) -> str:
    """The option that the plan's `field` comes from, such as `--payload` of `payload_bytes`."""
    found = max((name for name in _OPTIONS if f"{field}.".startswith(f"{name}.")), key=len, default=None)
    return _OPTIONS[found] if found else "--" + field.partition(".")[0].replace("_", "-")


def report_files(paths: Sequence[str]) -> list[tuple[Path, str]]:
    """The files of `--report`, each with the kind of report that its ending names.

    Raises:
        OptionError: there is no such kind, or no such folder.
    """
    found = []
    for text in paths:
        path = Path(text)
        kind = path.suffix.removeprefix(".")
        if kind not in REPORT_KINDS:
            raise OptionError(f"--report: {text!r} ends in none of .{', .'.join(REPORT_KINDS)}")
        if not path.absolute().parent.is_dir():
            raise OptionError(f"--report: there is no folder {path.absolute().parent}")
        found.append((path, kind))
    return found


def concurrency_of(options: argparse.Namespace) -> int:
    """Jobs at once of each worker of a lab of its own; raises OptionError where there cannot be so many."""
    asked = DEFAULT_CONCURRENCY if options.concurrency is None else int(options.concurrency)
    if not 1 <= asked <= MAX_CONCURRENCY:
        raise OptionError(f"--concurrency takes a whole number from 1 to {MAX_CONCURRENCY}")
    return asked


def _add_plan(command: argparse.ArgumentParser) -> None:
    add = command.add_argument_group("plan").add_argument
    add("--plan", metavar="FILE", help="a plan's JSON; the other options are put over it")
    add("--title", help="what the experiment is called")
    add(
        "--arm",
        action="append",
        metavar="METHOD[:DELIVERY]",
        help=f"celery, rabbitmq or sync, safe or naive: once for each arm, up to {MAX_ARMS}"
        f" (default {', '.join(DEFAULT_ARMS)})",
    )
    add(
        "--jobs",
        type=int,
        metavar="N",
        help=f"for each arm and repetition, up to {MAX_JOBS} (default {DEFAULT_JOBS})",
    )
    add(
        "--seconds",
        type=float,
        metavar="S",
        help="instead of --jobs, with --rate: as many as come in that time",
    )
    add("--work", choices=[work.value for work in Work], help="what a job does (default wait)")
    add("--p", type=float, metavar="SHARE", help="with --work failing: the share that fails, 0 to 1")
    add(
        "--duration",
        metavar="LAW",
        help="seconds of a job: 0.01, uniform:0.01-0.05, exponential:0.02, or file:PATH with numbers to draw from",
    )
    add("--burst", action="store_true", help="all jobs at once (the default)")
    add(
        "--rate",
        type=float,
        metavar="R",
        help="open loop: so many jobs a second, whether or not earlier ones are done",
    )
    add("--spacing", choices=["even", "poisson"], help="of an open loop (default poisson)")
    add(
        "--reports",
        choices=[reports.value for reports in Reports],
        help="of begin and end: stamped and sent in the background (beside, the default), or asked before the job"
        " and told before the acknowledgement (in_path)",
    )
    add("--payload", type=int, metavar="BYTES", help=f"more to carry in each message, up to {MAX_PAYLOAD}")
    add("--repetitions", type=int, metavar="N", help=f"up to {MAX_REPETITIONS} (default 5)")
    add("--seed", type=int, metavar="N", help="the same seed gives the same jobs (default 1)")
    add(
        "--deadline",
        type=float,
        metavar="S",
        help="after which a repetition's jobs count as lost (default 300)",
    )
    add(
        "--equalise",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="set alike what can be (default)",
    )
    add(
        "--warm-up",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="a first turn that does not count",
    )


def _add_lab(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--url", metavar="URL", help="a running lab (default http://localhost:8080, or PORT's)"
    )


def _add_output(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--json", action="store_true", help="print the whole experiment as JSON, and nothing else"
    )
    command.add_argument(
        "--report",
        action="append",
        default=[],
        metavar="FILE",
        help="write a report: .html, .md, .csv or .json",
    )


def _file(name: str) -> dict[str, Any]:
    try:
        fields = json.loads(Path(name).read_text())
    except (OSError, ValueError) as error:
        raise OptionError(f"--plan: {name} cannot be read: {error}") from error
    if not isinstance(fields, dict):
        raise OptionError(f"--plan: {name} holds no plan, which is a JSON object")
    return fields


def _arm(text: str) -> dict[str, str]:
    method, colon, delivery = text.partition(":")
    return {"method": method, **({"delivery": delivery} if colon else {})}


def _duration(text: str) -> dict[str, Any]:
    law, colon, rest = text.partition(":")
    if law == "file" and rest:
        try:
            return {"law": "values", "values": [float(word) for word in Path(rest).read_text().split()]}
        except (OSError, ValueError) as error:
            raise OptionError(f"--duration: {rest} does not hold numbers of seconds: {error}") from error
    if found := _UNIFORM.fullmatch(text):
        return {"law": "uniform", "low": float(found[1]), "high": float(found[2])}
    try:
        if law == "exponential" and colon:
            return {"law": "exponential", "mean": float(rest)}
        return {"law": "fixed", "seconds": float(text)}
    except ValueError:
        raise OptionError(
            f"--duration: {text!r}; it takes seconds, uniform:LOW-HIGH, exponential:MEAN or file:PATH"
        ) from None


def _arrival(options: argparse.Namespace, before: Any) -> Any:
    if options.burst:
        if options.rate is not None or options.spacing is not None:
            raise OptionError("--burst: all jobs at once have neither --rate nor --spacing")
        return {"law": "burst"}
    changes = {name: value for name in ("rate", "spacing") if (value := getattr(options, name)) is not None}
    if not changes:
        return before
    former = before if isinstance(before, dict) and before.get("law") == "open" else {}
    if "rate" not in changes and not former:
        raise OptionError("--spacing: goes with --rate")
    return {**former, "law": "open", **changes}


def _sentence(fault: Any) -> str:
    field = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        return f"--plan: a plan has no {field}"
    return f"{option_of(field) if field else '--jobs, --seconds'}: {message}"
