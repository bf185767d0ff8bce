"""A job in a process of its own: one that may have killed its worker kills nobody but itself now.

The process, `python -m lab.jobs.apart`, is given the job as a line of JSON. It writes its progress and its end as lines
of JSON, and reads for each progress whether the job is cancelled. It ends with its worker.
"""

import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, Any, Final, cast

from pydantic import BaseModel

from lab.job import Job, JobFailed, KilledItsProcess, Outcome, perform
from lab.jobs.context import Context, Report
from lab.jobs.files import TaskFiles
from lab.jobs.task_api import TaskAPI
from lab.logs import DATE_FORMAT, LOG_FORMAT, JobLog
from lab.settings import Settings
from lab.status import TaskStatus, UpdateAnswer

_CANCEL: Final = b"cancel\n"
_GO_ON: Final = b"go on\n"
_LATE_SECONDS: Final = 5


class _Told(BaseModel):
    """Progress, or an end."""

    progress: float = 0.0
    status: TaskStatus | None = None
    result: Any = None
    error: str | None = None
    again_seconds: float = 0.0


def context_of(settings: Settings, job: Job, attempt: int, report: Report) -> Context:
    """What the hand-written worker calls a job function with."""
    url = settings.api_url
    files, api = TaskFiles(url, job.task_id, job.token), TaskAPI(url, job.task_id, job.token)
    return Context(job.num, attempt, job.time_limit, report, files, api, places=settings.places)


def perform_apart(job: Job, log: JobLog, context: Context) -> Outcome:
    """`lab.job.perform` in another process. A job that ends that process has FAILED."""
    command = [sys.executable, "-m", "lab.jobs.apart", log.who, log.language]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        to, out = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
        _write(to, job.model_copy(update={"attempt": context.attempt}).to_json() + b"\n")
        for line in out:
            told = _Told.model_validate_json(line)
            if told.status is not None:
                error = None if told.error is None else JobFailed(told.error)
                return Outcome(told.status, told.result, error, told.again_seconds)
            verdict = context.report and context.report(TaskStatus.IN_PROGRESS, progress=told.progress)
            _write(to, _CANCEL if verdict and verdict.cancel else _GO_ON)
    killed = KilledItsProcess(f"the job ended its process ({_how(process.returncode)})")
    log.failed(job, killed)
    return Outcome(TaskStatus.FAILED, error=killed)


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _write(to: IO[bytes], line: bytes) -> None:
    with suppress(BrokenPipeError):  # its end is seen where it is read
        to.write(line)
        to.flush()


def main() -> None:
    """Runs the job that standard input names."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the job prints is no answer
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # its worker says when it ends
    who, language = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, datefmt=DATE_FORMAT)
    job = Job.model_validate_json(sys.stdin.buffer.readline())
    signal.alarm(int(job.time_limit) + _LATE_SECONDS)  # its worker has given it up by then
    answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin.buffer:
            answers.put(line)
        signal.raise_signal(signal.SIGKILL)  # the worker has its end, or is gone and the job is another one's

    def report(status: TaskStatus, *, progress: float | None = None, **_: Any) -> UpdateAnswer:  # noqa: ARG001
        _write(out, _Told(progress=progress or 0.0).model_dump_json().encode() + b"\n")
        return UpdateAnswer(task_id=job.task_id, cancel=answers.get() == _CANCEL)

    threading.Thread(target=listen, daemon=True).start()
    context = context_of(Settings.from_env(), job, job.attempt, report)
    outcome = perform(job, JobLog(who, language), context)
    end = _Told(
        status=outcome.status,
        result=outcome.result,
        error=outcome.text,
        again_seconds=outcome.again_seconds,
    )
    _write(out, end.model_dump_json().encode() + b"\n")


if __name__ == "__main__":
    main()
