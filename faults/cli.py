"""The command line: `python -m faults list`, `run`, `matrix`, `show`."""

import json
import os
import re
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
from pydantic import ValidationError

from faults.cards import CARDS
from faults.document import ARMS, FaultDocument, FaultPlan, FaultStatus, label_of_arm
from faults.matrix import SECONDS_A_CARD, Matrix, cell_text, matrix_of, missing, read_kept, to_markdown
from faults.report import FORMS, rendered, said_of_agreement
from lab.settings import Settings, SettingsError

DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130
COUNTERS: Final = ("accepted", "confirmed", "done_once", "lost", "doubled", "recovered")
_CONDITION: Final = re.compile(r"^(?:([a-z:]+)\.)?([a-z_]+)\s*(>=|<=|==|>|<)\s*(\d+)$")
_COMPARE: Final[dict[str, Callable[[int, int], bool]]] = {
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    "==": lambda one, other: one == other,
}


class Condition(NamedTuple):
    """When a run counts as failed: of one arm, or of any."""

    text: str
    arm: str | None
    counter: str
    compare: str
    number: int

    def met(self, document: FaultDocument) -> list[str]:
        """The arms of which it holds."""
        arms = [self.arm] if self.arm else list(document.arms)
        return [
            arm
            for arm in arms
            if arm in document.arms
            and _COMPARE[self.compare](getattr(document.arms[arm], self.counter), self.number)
        ]


class ConditionType(click.ParamType[Condition]):
    """`lost>0`, or `celery:safe.doubled>2`."""

    name = "CONDITION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = _CONDITION.match(str(value).replace(" ", ""))
        if not found or found[2] not in COUNTERS or (found[1] and found[1] not in ARMS):
            self.fail(f"{value} is no condition: write lost>0, or celery:safe.doubled>2", param, ctx)
        return Condition(str(value), found[1], found[2], found[3], int(found[4]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what `arguments` say; the exit status: 0; 1 where a run failed or a condition of --fail-if was met; 2 for
    options that cannot be used; 130 after Ctrl-C."""
    try:
        status = cli.main(arguments, standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return MISUSED
    except SettingsError as error:
        click.echo(error, err=True)
        return MISUSED
    except click.ClickException as error:
        error.show()
        return FAILED
    except click.Abort:
        return INTERRUPTED
    return status if isinstance(status, int) else DONE


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Strikes a running system of its own, and tells who lost what."""


def _report_file(_: click.Context, __: click.Parameter, paths: Sequence[Path]) -> Sequence[Path]:
    for path in paths:
        if path.suffix.removeprefix(".") not in FORMS:
            raise click.BadParameter(f"{path}: takes a file that ends in .{', .'.join(FORMS)}")
    return paths


report_option = click.option(
    "--report",
    "files",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    callback=_report_file,
    metavar="FILE",
    help="Write a report: .html, .md, .csv or .json.",
)


@cli.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def list_them(as_json: bool) -> None:
    """The cards."""
    if as_json:
        click.echo(json.dumps([{**vars(card), "strength": vars(card.strength)} for card in CARDS.values()]))
        return
    for card in CARDS.values():
        click.echo(f"{card.name:<20} {card.title}\n{'':<20} {card.question} ({card.issue})")


@cli.command()
@click.argument("card", type=click.Choice(list(CARDS)), metavar="CARD")
@click.option("--arm", "arms", multiple=True, metavar="METHOD:DELIVERY", help="A contender; all by default.")
@click.option("--jobs", type=int, help="Jobs for each contender.")
@click.option("--seconds", type=float, help="How long a job takes.")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Decides whom and when the fault strikes."
)
@click.option("--strength", type=float, help="What it means the card says: `python -m faults list --json`.")
@click.option("--predict", multiple=True, metavar="ARM=LOST,DOUBLED", help="What you expect of a contender.")
@click.option(
    "--fail-if", "conditions", type=ConditionType(), multiple=True, help="Exit status 1 where it is so."
)
@click.option("--json", "as_json", is_flag=True, help="Print the document, and nothing else.")
@click.option("--json-progress", is_flag=True, help="Print the growing document, a line of JSON each time.")
@click.option("--progress-file", type=click.Path(path_type=Path), help="Keep the growing document there.")
@click.option("--id", "run_id", help="The run's id.  [default: a new one]")
@report_option
@click.option("--watch-stdin", is_flag=True, help="End the run when standard input ends.")
def run(
    card: str,
    arms: Sequence[str],
    jobs: int | None,
    seconds: float | None,
    seed: int,
    strength: float | None,
    predict: Sequence[str],
    conditions: Sequence[Condition],
    as_json: bool,
    json_progress: bool,
    progress_file: Path | None,
    run_id: str | None,
    files: Sequence[Path],
    watch_stdin: bool,
) -> int:
    """Run CARD on a lab of its own, which goes at the end."""
    asked = {"card": card, "arms": arms or ARMS, "jobs": jobs, "seconds": seconds, "seed": seed}
    plan = plan_of(asked | {"strength": strength, "prediction": _predictions(predict)})
    cancelled = threading.Event()
    _listen(cancelled, watch_stdin)
    quiet = as_json or json_progress
    say: Callable[[str], None] = (lambda _: None) if quiet else (lambda text: click.echo(text, err=True))
    document = play(
        plan,
        cancelled,
        say,
        progress_file,
        run_id,
        (lambda text: click.echo(text)) if json_progress else None,
    )
    if as_json:
        click.echo(document.model_dump_json(indent=2))
    elif not json_progress:
        click.echo(summary(document))
    _write(document, files)
    return _status(document, conditions)


@cli.command()
@click.option("--card", "cards", type=click.Choice(list(CARDS)), multiple=True, help="Only these cards.")
@click.option("--arm", "arms", multiple=True, metavar="METHOD:DELIVERY", help="Only these contenders.")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Decides whom and when the faults strike."
)
@click.option("--missing", "only_missing", is_flag=True, help="Run only what never ran.")
@click.option("--show", "only_show", is_flag=True, help="Run nothing.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the matrix with all its runs there.")
@click.option(
    "--fail-if", "conditions", type=ConditionType(), multiple=True, help="Exit status 1 where it is so."
)
@click.option("--json", "as_json", is_flag=True, help="Print the documents of the matrix as JSON.")
def matrix(
    cards: Sequence[str],
    arms: Sequence[str],
    seed: int,
    only_missing: bool,
    only_show: bool,
    markdown: Path | None,
    conditions: Sequence[Condition],
    as_json: bool,
) -> int:
    """Run all cards with all contenders, and show what was found."""
    found = matrix_of(read_kept(kept_folder()))
    lacking = missing(found, arms or ARMS)
    wanted = {name: lacking.get(name, []) if only_missing else list(arms or ARMS) for name in cards or CARDS}
    plans = [
        plan_of({"card": name, "arms": of_card, "seed": seed}) for name, of_card in wanted.items() if of_card
    ]
    status, begin = DONE, time.monotonic()
    cancelled = threading.Event()
    if not only_show:
        _listen(cancelled, False)
        for number, plan in enumerate(plans):
            each = (time.monotonic() - begin) / number if number else SECONDS_A_CARD
            left = (len(plans) - number) * each / 60
            click.echo(f"[{number + 1} of {len(plans)}, about {left:.0f} min left]", err=True)
            document = play(plan, cancelled, lambda text: click.echo(f"  {text}", err=True))
            click.echo(summary(document), err=True)
            status = max(status, _status(document, conditions))
            if cancelled.is_set():
                return INTERRUPTED
    found = matrix_of(read_kept(kept_folder()))
    if markdown is not None:
        markdown.write_text(to_markdown(found, "make faults"))
    if as_json:
        runs = {run.id: run for of_card in found.values() for run in of_card.values()}
        click.echo(json.dumps([run.model_dump(mode="json") for run in runs.values()]))
    else:
        click.echo(grid(found))
    return status


@cli.command()
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="Print the document.")
@report_option
def show(id: str, as_json: bool, files: Sequence[Path]) -> None:
    """What a run has found; ID is a file, or the beginning of the id of a run that was kept."""
    path = Path(id)
    found = (
        [path]
        if path.is_file()
        else sorted(kept_folder().glob(f"{id}*.json"))
        if re.match(r"^[\w-]+$", id)
        else []
    )
    if len(found) != 1:
        raise click.UsageError(f"{'no run' if not found else 'more than one run'} begins with {id}")
    document = FaultDocument.model_validate_json(found[0].read_text())
    click.echo(document.model_dump_json(indent=2) if as_json else summary(document))
    _write(document, files)


def plan_of(asked: dict[str, Any]) -> FaultPlan:
    """The plan; raises click.UsageError with what is wrong."""
    try:
        return FaultPlan.model_validate(asked)
    except ValidationError as error:
        said = (f"{'.'.join(map(str, one['loc']))} {one['msg']}".strip() for one in error.errors())
        raise click.UsageError("; ".join(said)) from error


def kept_folder() -> Path:
    """Where the documents of runs from the command line are kept."""
    folder = Settings.from_env().var / "faults"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def play(
    plan: FaultPlan,
    cancelled: threading.Event,
    say: Callable[[str], None],
    file: Path | None = None,
    run_id: str | None = None,
    tell: Callable[[str], None] | None = None,
) -> FaultDocument:
    """Runs `plan`, keeps its document, and says how it goes on."""
    from faults.engine import run as run_plan  # not for `list` and `--help`: it takes the harness

    run_id = run_id or str(uuid.uuid4())
    path = file or kept_folder() / f"{run_id}.json"
    told: list[str] = []

    def on_progress(document: FaultDocument) -> None:
        document.write(path)
        if tell is not None:
            tell(document.model_dump_json())
        for step in [f"the {phase}" for phase in document.phases] + [said.text() for said in document.struck]:
            if step not in told:
                told.append(step)
                say(f"{time.strftime('%H:%M:%S')}  {step}")

    say(f"{plan.card}, seed {plan.seed}: a lab of its own is started …")
    folder = Path(tempfile.mkdtemp(prefix="transport-lab-fault-"))
    return run_plan(plan, folder, on_progress, cancelled, run_id)


def summary(document: FaultDocument) -> str:
    """A run as a table for the terminal."""
    head = f"{document.card}, seed {document.seed}, {document.jobs} jobs of {document.seconds:g} s: {document.status}"
    lines = [
        head,
        f"{'':<26}" + "".join(f"{name.replace('_', ' '):>11}" for name in COUNTERS) + "   first   gap",
    ]
    for arm, figures in document.arms.items():
        counts = "".join(f"{getattr(figures, name):>11}" for name in COUNTERS)
        times = (figures.first_success_s, figures.longest_gap_s)
        lines.append(f"{label_of_arm(arm):<26}{counts}" + "".join(f"{_seconds(value):>8}" for value in times))
    if agreement := said_of_agreement(document):
        lines += [agreement, *(f"  {said.text()}" for said in document.disagreements)]
    return "\n".join([*lines, document.error] if document.error else lines)


def grid(found: Matrix) -> str:
    """The matrix for the terminal."""
    lines = [f"{'':<20}" + "".join(f"{label_of_arm(arm):>27}" for arm in ARMS)]
    for name, runs in found.items():
        cells = (cell_text(runs[arm], arm).replace("*", "") if arm in runs else "" for arm in ARMS)
        lines.append(f"{name:<20}" + "".join(f"{cell:>27}" for cell in cells))
    return "\n".join(lines)


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"


def _write(document: FaultDocument, files: Sequence[Path]) -> None:
    for path in files:
        try:
            path.write_text(rendered(document, path.suffix.removeprefix(".")))
        except OSError as error:
            raise click.ClickException(f"--report: {path} cannot be written: {error.strerror}") from error


def _status(document: FaultDocument, conditions: Sequence[Condition]) -> int:
    if document.status is FaultStatus.CANCELLED:
        return INTERRUPTED
    failed = document.status is not FaultStatus.DONE
    for condition in conditions:
        for arm in condition.met(document):
            click.echo(f"{condition.text}: {arm}", err=True)
            failed = True
    return FAILED if failed else DONE


def _predictions(given: Sequence[str]) -> dict[str, dict[str, int]]:
    found = {}
    for text in given:
        match = re.match(r"^([a-z:]+)=(\d+),(\d+)$", text)
        if not match:
            raise click.UsageError(f"--predict: {text} is none: write celery:safe=0,1")
        found[match[1]] = {"lost": int(match[2]), "doubled": int(match[3])}
    return found


def _listen(cancelled: threading.Event, watch_stdin: bool) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: cancelled.set())
    if not watch_stdin:
        return

    def read() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        cancelled.set()

    threading.Thread(target=read, name="parent", daemon=True).start()
