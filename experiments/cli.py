"""The command line: `python -m experiments run`, and looking at what was run."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

from experiments import cli_text
from experiments.between import between
from experiments.cli_options import (
    OptionError,
    concurrency_of,
    option_of,
    parser,
    plan_of,
    report_files,
)
from experiments.cli_progress import Progress
from experiments.client import ClientError, LabClient, NobodyAnswers
from experiments.model import Experiment
from experiments.plan import Plan
from lab.settings import Settings, SettingsError

DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130
LOOK_SECONDS: Final = 0.5
AWAY_SECONDS: Final = 30.0
CANCEL_SECONDS: Final = 15.0

_MANY: Final = 100


def main(arguments: list[str] | None = None, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Does what `arguments` say and returns the exit status: 0; 1 after a failure or a refusal, with the
    sentence; 2 for options that cannot be used; 130 after Ctrl-C.

    Args:
        out, err: where results and everything else go; by default the standard streams.
    """
    out, err = out or sys.stdout, err or sys.stderr
    try:
        options = parser().parse_args(arguments)
        return _COMMANDS[options.command](options, out, err)
    except (OptionError, SettingsError) as error:
        print(error, file=err)
        return MISUSED
    except ClientError as error:
        print(error, file=err)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(options: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    plan, files, concurrency = plan_of(options), report_files(options.report), concurrency_of(options)
    progress = Progress(err)
    with _lab(options, plan, concurrency, progress) as client:
        try:
            progress.say(cli_text.fairness(plan, client.differences(plan), ran=False))
            experiment_id = client.run(plan)
        except ClientError as error:
            if error.errors:
                said = (f"{option_of(str(one['field']))}: {one['message']}" for one in error.errors)
                raise OptionError("; ".join(said)) from error
            raise
        try:
            found = _wait(client, experiment_id, progress)
        except KeyboardInterrupt:
            progress.say("Cancelling …")
            status = _cancel(client, experiment_id)
            progress.say(f"{experiment_id} is {status}." if status else f"{experiment_id} has not ended.")
            return INTERRUPTED
        progress.end()
        _write(client, found, files, options.json, out)
    if found.status == "DONE":
        return DONE
    print(found.error or f"The experiment was {found.status.lower()}.", file=err)
    return FAILED


def _plan(options: argparse.Namespace, out: TextIO, _err: TextIO) -> int:
    print(plan_of(options).model_dump_json(indent=2), file=out)
    return DONE


def _list(options: argparse.Namespace, out: TextIO, _err: TextIO) -> int:
    with _client(options) as client:
        found = client.list(_MANY)
    print(json.dumps(found) if options.json else cli_text.listing(found), file=out)
    return DONE


def _show(options: argparse.Namespace, out: TextIO, _err: TextIO) -> int:
    files = report_files(options.report)
    with _client(options) as client:
        _write(client, client.get(client.find(options.id)), files, options.json, out)
    return DONE


def _cancel_one(options: argparse.Namespace, out: TextIO, _err: TextIO) -> int:
    with _client(options) as client:
        experiment_id = client.find(options.id)
        client.cancel(experiment_id)
        found = _until_ended(client, experiment_id, CANCEL_SECONDS)
    print(f"{experiment_id} is {found.status}.", file=out)
    return DONE


def _compare(options: argparse.Namespace, out: TextIO, _err: TextIO) -> int:
    with _client(options) as client:
        one, other = (client.get(client.find(name)) for name in (options.one, options.other))
    if options.json:
        print(json.dumps([json.loads(each.model_dump_json()) for each in (one, other)]), file=out)
    else:
        print(cli_text.differences(between(one, other)), file=out)
    return DONE


_COMMANDS: Final[dict[str, Callable[[argparse.Namespace, TextIO, TextIO], int]]] = {
    "run": _run,
    "plan": _plan,
    "list": _list,
    "show": _show,
    "cancel": _cancel_one,
    "compare": _compare,
}


@contextmanager
def _client(options: argparse.Namespace) -> Iterator[LabClient]:
    settings = Settings.from_env()
    client = LabClient(options.url or f"http://localhost:{settings.port}", settings.user, settings.password)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def _lab(
    options: argparse.Namespace, plan: Plan, concurrency: int, progress: Progress
) -> Iterator[LabClient]:
    """The lab that runs the plan: a running one, or one of this run's own."""
    with _client(options) as client:
        if not options.own and client.is_there():
            if options.concurrency is not None:
                raise OptionError(
                    "--concurrency sizes the workers of a lab of this run's own: give --own as well"
                )
            yield client
            return
    if options.url and not options.own:
        raise ClientError(
            f"No lab answers at {client.url}. Without --url a lab of its own is started for the run."
        )
    why = "" if options.own else f"Nothing answers at {client.url}. "
    try:
        from experiments.stand import OwnStand
    except ImportError as error:  # containers have no harness
        raise ClientError(f"{why}No lab can be started from here: name a running one by --url.") from error
    progress.say(f"{why}A lab of its own is started for this run …")
    with OwnStand(plan, concurrency) as stand:
        own = LabClient(stand.url)
        try:
            yield own
        finally:
            own.close()


def _wait(client: LabClient, experiment_id: str, progress: Progress) -> Experiment:
    """Until it has ended, whatever its end; a lab that does not answer is waited for, for a while."""
    progress.say(f"Experiment {experiment_id}: {client.url}/experiments/{experiment_id}")
    heard = time.monotonic()
    while True:
        try:
            found = client.get(experiment_id, runs=False)
            ended = found.ended
            if ended:
                found = client.get(experiment_id)
        except NobodyAnswers:
            if time.monotonic() - heard > AWAY_SECONDS:
                raise
        else:
            heard = time.monotonic()
            progress.show(found)
            if ended:
                return found
        time.sleep(LOOK_SECONDS)


def _cancel(client: LabClient, experiment_id: str) -> str | None:
    """Has it cancelled and waits for its end: its status, or None where that does not come in time."""
    with suppress(ClientError):
        with suppress(ClientError):  # it may have ended in this moment
            client.cancel(experiment_id)
        found = _until_ended(client, experiment_id, CANCEL_SECONDS)
        return found.status if found.ended else None
    return None


def _until_ended(client: LabClient, experiment_id: str, seconds: float) -> Experiment:
    deadline = time.monotonic() + seconds
    found = client.get(experiment_id, runs=False)
    while not found.ended and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        found = client.get(experiment_id, runs=False)
    return found


def _write(
    client: LabClient, found: Experiment, files: list[tuple[Path, str]], as_json: bool, out: TextIO
) -> None:
    """What is asked for on `out`, and the reports into their files.

    Raises:
        OptionError: a file cannot be written.
    """
    print(found.model_dump_json(indent=2) if as_json else cli_text.summary(found), file=out)
    for path, kind in files:
        report = client.report(found.id, kind)
        try:
            path.write_bytes(report)
        except OSError as error:
            raise OptionError(f"--report: {path} cannot be written: {error.strerror}") from error
