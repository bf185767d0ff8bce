"""The command line: `python -m experiments run`, and looking at what was run."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from experiments import cli_text
from experiments.between import between
from experiments.cli_options import lab_address, option_of, plan_of, plan_options, report_file
from experiments.cli_text import ProgressBar
from experiments.client import ClientError, LabClient, NobodyAnswers
from experiments.model import Experiment
from experiments.plan import Plan
from lab.settings import Settings, SettingsError

DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130
MAX_CONCURRENCY: Final = 64
DEFAULT_CONCURRENCY: Final = 3
LOOK_SECONDS: Final = 0.5
AWAY_SECONDS: Final = 30.0
CANCEL_SECONDS: Final = 15.0

_MANY: Final = 100

_Command = TypeVar("_Command", bound=Callable[..., Any])


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what `arguments` say and returns the exit status: 0; 1 after a failure or a refusal, with the
    sentence; 2 for options that cannot be used; 130 after Ctrl-C."""
    try:
        cli.main(arguments, standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return MISUSED
    except (SettingsError, ClientError) as error:
        click.echo(error, err=True)
        return MISUSED if isinstance(error, SettingsError) else FAILED
    except click.Abort:
        return INTERRUPTED
    return DONE


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Runs experiments on a lab and shows what they found."""


def _url(command: _Command) -> _Command:
    text = "A running lab.  [default: http://localhost:8080, or PORT's]"
    return click.option("--url", type=lab_address, metavar="ADDRESS", help=text)(command)


def _json(command: _Command) -> _Command:
    text = "Print all of it as JSON, and nothing else."
    return click.option("--json", "as_json", is_flag=True, help=text)(command)


def _report(command: _Command) -> _Command:
    text = "Write a report: .html, .md, .csv or .json."
    names = ("--report", "files")
    return click.option(*names, type=report_file, multiple=True, metavar="FILE", help=text)(command)


@cli.command()
@plan_options
@_url
@_json
@_report
@click.option("--again", metavar="ID", help="The plan of that experiment; the other options are put over it.")
@click.option("--own", is_flag=True, help="Start a lab of its own for this run, and end it.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, MAX_CONCURRENCY),
    help=f"With --own: jobs that each worker runs at once.  [default: {DEFAULT_CONCURRENCY}]",
)
def run(
    url: str | None,
    as_json: bool,
    files: Sequence[tuple[Path, str]],
    again: str | None,
    own: bool,
    concurrency: int | None,
    **options: Any,
) -> None:
    """Run an experiment to its end."""
    if again:
        with closing(_client(url)) as client:
            before = client.get(client.find(again), runs=False).plan
        options["plan"] = before.model_dump(mode="json") | (options["plan"] or {})
    wanted, progress = plan_of(options), ProgressBar(sys.stderr)
    with _lab(url, own, concurrency, wanted, progress) as client:
        try:
            progress.say(cli_text.fairness(wanted, client.differences(wanted), ran=False))
            experiment_id = client.run(wanted)
        except ClientError as error:
            if error.errors:
                said = (f"{option_of(str(one['field']))}: {one['message']}" for one in error.errors)
                raise click.UsageError("; ".join(said)) from error
            raise
        try:
            progress.say(f"Experiment {experiment_id}: {client.url}/experiments/{experiment_id}")
            for found in _states(client, experiment_id, AWAY_SECONDS):
                progress.show(found)
        except KeyboardInterrupt:
            progress.say("Cancelling …")
            status = _cancel_run(client, experiment_id)
            progress.say(f"{experiment_id} is {status}." if status else f"{experiment_id} has not ended.")
            raise click.Abort from None
        progress.end()
        _write(client, found, files, as_json)
    if found.status != "DONE":
        raise ClientError(found.error or f"The experiment was {found.status.lower()}.")


@cli.command()
@plan_options
def plan(**options: Any) -> None:
    """Print the plan's JSON, for --plan, and run nothing."""
    click.echo(plan_of(options).model_dump_json(indent=2))


@cli.command("list")
@_url
@_json
def list_them(url: str | None, as_json: bool) -> None:
    """The experiments of the lab, newest first."""
    with closing(_client(url)) as client:
        found = client.list(_MANY)
    click.echo(json.dumps(found) if as_json else cli_text.listing(found))


@cli.command()
@click.argument("id")
@_url
@_json
@_report
def show(id: str, url: str | None, as_json: bool, files: Sequence[tuple[Path, str]]) -> None:
    """What an experiment has found; ID may be the beginning of its id."""
    with closing(_client(url)) as client:
        _write(client, client.get(client.find(id)), files, as_json)


@cli.command()
@click.argument("id")
@_url
def cancel(id: str, url: str | None) -> None:
    """Cancel an experiment; ID may be the beginning of its id."""
    with closing(_client(url)) as client:
        experiment_id = client.find(id)
        client.cancel(experiment_id)
        found = _until_ended(client, experiment_id)
    click.echo(f"{experiment_id} is {found.status}.")


@cli.command()
@click.argument("ids", nargs=2, metavar="ID ID")
@_url
@_json
def compare(ids: tuple[str, str], url: str | None, as_json: bool) -> None:
    """Two experiments side by side; an ID may be the beginning of one."""
    with closing(_client(url)) as client:
        one, other = (client.get(client.find(name)) for name in ids)
    if as_json:
        click.echo(json.dumps([json.loads(each.model_dump_json()) for each in (one, other)]))
    else:
        click.echo(cli_text.differences(between(one, other)))


def _client(url: str | None) -> LabClient:
    settings = Settings.from_env()
    return LabClient(url or f"http://localhost:{settings.port}", settings.user, settings.password)


@contextmanager
def _lab(
    url: str | None, own: bool, concurrency: int | None, plan: Plan, progress: ProgressBar
) -> Iterator[LabClient]:
    """The lab that runs the plan: a running one, or one of this run's own."""
    with closing(_client(url)) as client:
        if not own and client.is_there():
            if concurrency is not None:
                raise click.UsageError(
                    "--concurrency sizes the workers of a lab of this run's own: give --own as well"
                )
            yield client
            return
    if url and not own:
        raise ClientError(
            f"No lab answers at {client.url}. Without --url a lab of its own is started for the run."
        )
    why = "" if own else f"Nothing answers at {client.url}. "
    try:
        from experiments.stand import OwnStand
    except ImportError as error:  # containers have no harness
        raise ClientError(f"{why}No lab can be started from here: name a running one by --url.") from error
    progress.say(f"{why}A lab of its own is started for this run …")
    with OwnStand(plan, concurrency or DEFAULT_CONCURRENCY) as stand, closing(LabClient(stand.url)) as client:
        yield client


def _states(client: LabClient, experiment_id: str, patience: float = 0.0) -> Iterator[Experiment]:
    """The experiment twice a second until it has ended, at last with its repetitions; raises NobodyAnswers where
    the lab has not answered for `patience` seconds."""
    heard = time.monotonic()
    while True:
        try:
            found = client.get(experiment_id, runs=False)
            if found.ended:
                found = client.get(experiment_id)
        except NobodyAnswers:
            if time.monotonic() - heard > patience:
                raise
        else:
            heard = time.monotonic()
            yield found
            if found.ended:
                return
        time.sleep(LOOK_SECONDS)


def _until_ended(client: LabClient, experiment_id: str) -> Experiment:
    deadline = time.monotonic() + CANCEL_SECONDS
    states = _states(client, experiment_id)
    return next(found for found in states if found.ended or time.monotonic() >= deadline)


def _cancel_run(client: LabClient, experiment_id: str) -> str | None:
    """Has it cancelled and waits for its end: its status, or None where that does not come in time."""
    with suppress(ClientError):
        with suppress(ClientError):  # it may have ended in this moment
            client.cancel(experiment_id)
        found = _until_ended(client, experiment_id)
        return found.status if found.ended else None
    return None


def _write(client: LabClient, found: Experiment, files: Sequence[tuple[Path, str]], as_json: bool) -> None:
    """What is asked for on standard output, and the reports into their files.

    Raises:
        click.UsageError: a file cannot be written.
    """
    click.echo(found.model_dump_json(indent=2) if as_json else cli_text.summary(found))
    for path, kind in files:
        report = client.report(found.id, kind)
        try:
            path.write_bytes(report)
        except OSError as error:
            raise click.UsageError(f"--report: {path} cannot be written: {error.strerror}") from error
