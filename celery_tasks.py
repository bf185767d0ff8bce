"""The lab's Celery tasks: thin wrappers around `lab.job.run`."""

import random
from contextlib import suppress
from functools import cache
from typing import Annotated, Any

from billiard.common import terminate_handler_fired
from celery import Signature, Task, group
from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded, TaskPredicate
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from celery_app import HARD_LIMIT_SECONDS, celery_app, settings

# Commands answer the control page, the setting worker_consumer names dead_letters, and lost_queues has workers consume
# again.
from celery_worker import commands, dead_letters, lost_queues  # noqa: F401
from celery_worker.examples import (  # noqa: F401 - registers them, and a shell finds them here
    applied,
    download_file_from_azure,
    download_file_from_gcp,
    download_file_from_s3,
    get_files_from_bucket,
    get_paths_from_db,
    reliable_task,
    send_email,
    write_paths_to_file,
)
from celery_worker.reporting import report_of
from lab.broker.amqp import CELERY_QUEUE, OPEN_QUEUE, delivery_count, priority_queue
from lab.clock import now_us, to_iso
from lab.job import MAX_ATTEMPT, MAX_ERROR, MAX_RETRIES, Job, JobFailed, Outcome, error_text, run, trusted_job
from lab.jobs.backoff import RetryPolicy
from lab.jobs.context import MAX_TIME_LIMIT, Context, Report, TemporaryError
from lab.jobs.files import TaskFiles
from lab.jobs.kinds import KINDS
from lab.jobs.mail import Mailer
from lab.jobs.signatures import bind, check_call
from lab.jobs.task_api import TaskAPI, tell_due
from lab.logs import JobLog
from lab.options import NONE, Options
from lab.reporting.reporter import ReportFailed
from lab.status import TaskStatus, UpdateAnswer

# A chord on a database polls its tasks each second; this is where it ends at last.
celery_app.tasks["celery.chord_unlock"].max_retries = 2 * MAX_TIME_LIMIT
_UNCOUNTED = (priority_queue(CELERY_QUEUE), OPEN_QUEUE)
PLACES = settings.places


class NeverRun(Exception):
    """A task of a workflow was not run, since the workflow has ended."""


class Carried(BaseModel):
    """What the lab carries in the headers of a message; any client may write others there."""

    model_config = ConfigDict(strict=True)

    lab_token: Annotated[str, Field(max_length=128)] = ""
    lab_attempt: Annotated[int, Field(ge=1, le=MAX_ATTEMPT)] = 1
    lab_max_retries: Annotated[int, Field(ge=0, le=MAX_RETRIES)] = 3
    lab_retry: RetryPolicy | None = None
    lab_beside: bool = False
    retries: Annotated[int, Field(ge=0, le=MAX_ATTEMPT)] = 0


@celery_app.task(bind=True, name="process_task", max_retries=None)
def process_task(self: Task, task_num: int, timeout: float, worker_id: str = "celery") -> Any:
    """Waits `timeout` seconds under the number `task_num`, reporting its progress.

    From a shell: `process_task.delay(1, 5).get(timeout=30)`.
    """
    return _run(self, task_num, {"timeout": timeout}, worker_id)


@celery_app.task(bind=True, name="process_data", max_retries=None)
def process_data(self: Task, numbers: list[float], task_num: int = 0, worker_id: str = "celery") -> Any:
    """Count, sum, min, max, mean and standard deviation of `numbers`."""
    return _run(self, task_num, {"numbers": numbers}, worker_id)


@celery_app.task(bind=True, name="process_image", max_retries=None)
def process_image(
    self: Task,
    image_id: str,
    seconds: float | None = None,
    operation: dict[str, Any] | None = None,
    task_num: int = 0,
    worker_id: str = "celery",
) -> Any:
    """Does `operation` to an uploaded image; without one it waits, by default LAB_IMAGE_SECONDS.

    From a shell: `group(process_image.s(name) for name in ("a.jpg", "b.jpg")).apply_async()`.
    """
    params: dict[str, Any] = {"image_id": image_id, "operation": operation, "seconds": seconds}
    if operation is None and seconds is None:
        params["seconds"] = random.uniform(*settings.image_seconds)
    return _run(self, task_num, params, worker_id)


class KindTask(Task):  # type: ignore[misc]
    """A task of a kind: Celery's own check of arguments would refuse what a task before gave where the first
    parameter is named already."""

    typing = False

    def apply_async(self, args: Any = None, kwargs: Any = None, *others: Any, **options: Any) -> Any:
        """As Celery's. Raises TypeError for arguments that the kind does not take."""
        check_call(KINDS[self.name], tuple(args or ()), kwargs or {})
        return super().apply_async(args, kwargs, *others, **options)


def _task_of(kind: str) -> Any:
    def task(self: Task, *args: Any, task_num: int = 0, worker_id: str = "celery", **params: Any) -> Any:
        return _run(self, task_num, bind(KINDS[kind], args, params), worker_id)

    task.__name__ = task.__qualname__ = kind
    task.__doc__ = KINDS[kind].__doc__
    return celery_app.task(bind=True, base=KindTask, name=kind, max_retries=None, throws=(NeverRun,))(task)


_tasks = {
    kind: _task_of(kind) for kind in KINDS.keys() - {"process_task", "process_data", "process_image", "dmap"}
}
add, multiply = _tasks["add"], _tasks["multiply"]


def __getattr__(name: str) -> Any:
    """The task of that name: `from celery_tasks import word_count`."""
    if name in _tasks:
        return _tasks[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@celery_app.task(bind=True, name="dmap", max_retries=None, throws=(NeverRun,))
def dmap(
    self: Task,
    items: list[Any],
    some_task: Any = None,
    end_task: Any = None,
    task_num: int = 0,
    worker_id: str = "celery",
) -> Any:
    """Replaces itself by a group of one task for each of `items`: `some_task`, a signature, where it is given one
    (`celery_worker.examples.applied`), else those that the API has made and named."""
    if some_task is not None or end_task is not None:
        return self.replace(applied(self, items, some_task, end_task))
    _run(self, task_num, {"items": items}, worker_id)
    try:
        headers = self.request.headers or {}
        api = TaskAPI(settings.api_url, self.request.id, headers.get("lab_token", ""))
        made = api.post("nodes", {"items": items})["nodes"]
        nodes = [_node(Job.model_validate(node["job"])) for node in made]
        return self.replace(group(nodes)) if nodes else []
    except (Ignore, Reject):
        raise
    except Exception as error:  # it is reported as done: all that may happen now is that it comes again
        raise Reject(str(error), requeue=True) from error


def _node(job: Job) -> Signature:
    """The immutable signature of a workflow's node."""
    return celery_app.signature(
        job.kind,
        kwargs={**job.params, "task_num": job.num},
        immutable=True,
        task_id=job.task_id,
        headers={"lab_token": job.token, "lab_max_retries": job.max_retries},
        soft_time_limit=job.time_limit,
        time_limit=job.time_limit + HARD_LIMIT_SECONDS,
        argsrepr=job.arguments(),
        mandatory=True,
    )


@celery_app.task(name="send_errback")
def send_errback(request: Any, error: BaseException, traceback: Any, following: dict[str, Any]) -> None:  # noqa: ARG001
    """An errback as Celery calls it, in the process that saw the task fail: sends the task `following`, a
    signature, with the text of the error as its first argument."""
    celery_app.signature(following).apply_async((error_text(error),))


@celery_app.task(
    name="beat_due",
    ignore_result=True,
    autoretry_for=(OSError, TemporaryError),
    retry_backoff=2,
    retry_backoff_max=300,
    max_retries=40,
)
def beat_due(entry: str) -> Any:
    """Beat's word that `entry` of the schedule is due. The API makes a task of it, once for each due time;
    while it is away its worker tries again, for about an hour and a half."""
    return tell_due(settings.api_url, entry)


def _run(task: Task, num: int, params: dict[str, Any], worker_id: str) -> Any:
    request = task.request
    headers = request.headers or {}
    try:
        carried = Carried.model_validate({**headers, "retries": request.retries})
    except ValidationError as error:  # a forged message: what it says cannot be told of its task
        raise Reject(str(error), requeue=False) from error
    redelivered = bool((request.delivery_info or {}).get("redelivered"))
    deliveries = delivery_count(headers, redelivered)
    attempt = carried.lab_attempt + deliveries
    # A message that waited in Celery's delay queues still has their bits before its routing key.
    if redelivered and str(request.delivery_info.get("routing_key")).endswith(_UNCOUNTED):
        _pass_on(task, attempt)
    job = trusted_job(
        task_id=request.id,
        num=num,
        kind=task.name,
        params=params,
        token=carried.lab_token,
        retries=carried.retries,
        max_retries=carried.lab_max_retries,
        options=Options(retry=carried.lab_retry) if carried.lab_retry else NONE,
        beside=carried.lab_beside,
    )
    report = report_of(job, request.hostname, attempt, redelivered=redelivered or deliveries > 0)
    if not request.ignore_result and not request.called_directly:
        report = _keeping_progress(task, report)
    try:
        outcome = _run_in_time(job, report, attempt, worker_id)
    except ReportFailed as error:
        raise Reject(str(error), requeue=True) from error
    return _ended(task, job, attempt, outcome)


def _pass_on(task: Task, attempt: int) -> None:
    """Sends a redelivered message of a classic queue through the ordinary one: its job may have killed its
    process, and only there are deliveries counted and limited. Raises Ignore, which acknowledges this one, or
    Reject where the broker does not take it: Celery would acknowledge a task that failed."""
    headers = {**_own(task.request.headers or {}), "lab_attempt": attempt}
    try:
        task.signature_from_request(queue=CELERY_QUEUE, headers=headers).apply_async(mandatory=True)
    except Exception as error:
        raise Reject(str(error), requeue=True) from error
    raise Ignore


def _ended(task: Task, job: Job, attempt: int, outcome: Outcome) -> Any:
    """Returns or raises what tells Celery how the job ended."""
    request = task.request
    if outcome.skipped is not None:
        return _end_again(request, outcome.skipped)
    if outcome.status is TaskStatus.CANCELLED:
        return _end_again(request, UpdateAnswer(task_id=job.task_id, status=TaskStatus.CANCELLED))
    if outcome.status is TaskStatus.RETRYING:
        carried = {**_own(request.headers or {}), "lab_attempt": attempt + 1}
        # A quorum queue's delay takes whole seconds, and the worker waits for the rest; none takes less.
        seconds = outcome.again_seconds if outcome.again_seconds >= 1 else 0
        if not seconds:
            carried["eta"] = to_iso(now_us() + round(outcome.again_seconds * 1e6))
        raise task.retry(exc=_raisable(outcome), countdown=seconds, headers=carried)
    if outcome.error is not None:
        raise _raisable(outcome)
    return outcome.result


def _raisable(outcome: Outcome) -> Exception:
    """The job's own error; or one that says the same, where Celery would take it for an order to itself, end its
    process, or fail to tell it."""
    error = outcome.error
    with suppress(BaseException):  # its words are the job's own code
        if isinstance(error, Exception) and len(f"{error}{error!r}") <= 2 * MAX_ERROR:
            return JobFailed(outcome.text) if isinstance(error, TaskPredicate | MemoryError) else error
    return JobFailed(outcome.text)


def _run_in_time(job: Job, report: Report, attempt: int, worker_id: str) -> Outcome:
    """Runs `job`. Celery raises its soft time limit anywhere: where that struck while the job was being told of,
    its end may not have been, and is told as FAILED; what was told before stands."""
    files = TaskFiles(settings.api_url, job.task_id, job.token)
    api = TaskAPI(settings.api_url, job.task_id, job.token)
    context = Context(job.num, attempt, job.time_limit, report, files, api, _mailer(), PLACES)
    context.leaving = terminate_handler_fired
    try:
        return run(job, report, _log(worker_id), context)
    except SoftTimeLimitExceeded as error:
        report(TaskStatus.FAILED, error=error_text(error))
        raise


@cache
def _log(worker_id: str) -> JobLog:
    return JobLog(f"Celery Worker {worker_id}", settings.log_language)


@cache
def _mailer() -> Mailer | None:
    return Mailer(settings.smtp_url, settings.report_to) if settings.smtp_url else None


def _end_again(request: Any, verdict: UpdateAnswer) -> Any:
    """What a task that comes again after its end returns or raises: as then, for what follows it may not have
    been sent before its worker died; a chord that waits for it must hear of its end. Nothing where nothing follows."""
    if verdict.status is TaskStatus.DONE and (request.callbacks or request.chain or request.chord):
        return verdict.result
    if verdict.status is TaskStatus.FAILED and request.errbacks:
        raise JobFailed(str(verdict.result))
    ended = verdict.cancel or (verdict.status is not None and verdict.status.final)
    if ended and (request.chain or request.chord):
        raise NeverRun(f"task {verdict.task_id} was cancelled")
    raise Ignore


def _keeping_progress(task: Task, report: Report) -> Report:
    """`report`, which also keeps the progress, 0 to 100, in the result backend as the state PROCESSING."""

    def reporting(status: TaskStatus, **told: Any) -> UpdateAnswer:
        if status is TaskStatus.IN_PROGRESS and (progress := told.get("progress")):
            with suppress(Exception):  # a backend that is away is no reason for the job to fail
                task.update_state(state="PROCESSING", meta={"progress": round(100 * progress)})
        return report(status, **told)

    return reporting


def _own(headers: dict[str, Any]) -> dict[str, Any]:
    """The lab's own headers, to be carried to the next attempt."""
    return {name: value for name, value in headers.items() if name.startswith("lab_")}
