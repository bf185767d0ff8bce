"""What a task's options become in Celery: arguments of `send_task`.

https://docs.celeryq.dev/en/stable/userguide/calling.html
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from celery import Celery, Signature
from kombu.transport.native_delayed_delivery import (
    bind_queue_to_native_delayed_delivery_exchange,
    declare_native_delayed_delivery_exchanges_and_queues,
)

from lab.broker.amqp import CELERY_QUEUE, priority_queue
from lab.clock import now_us, to_iso
from lab.job import Job
from lab.jobs.kinds import KINDS
from lab.jobs.signatures import open_parameter
from lab.options import MAX_PRIORITY

# Below this a delay in the broker, which takes whole seconds, is left out: the worker waits for all of it.
SHORTEST_DELAY: Final = 1.5

MakeSignature = Callable[[Job], Signature]


def is_delayed(job: Job) -> bool:
    """Whether the job is to wait in the broker first."""
    return job.options.seconds_left(now_us()) >= SHORTEST_DELAY


def declare_delays(app: Celery, connection: Any) -> None:
    """Declares Celery's delay queues, and where they lead to. A worker does that when it starts; a task may
    be sent before the first one does."""
    declare_native_delayed_delivery_exchanges_and_queues(
        connection, app.conf.broker_native_delayed_delivery_queue_type
    )
    for queue in app.amqp.queues.values():
        queue(connection.default_channel).declare()
        bind_queue_to_native_delayed_delivery_exchange(connection, queue)


def options_of(job: Job, over_amqp: bool) -> dict[str, Any]:
    """The arguments for `job`'s options; `headers` among them are to be added to the message's own."""
    options = job.options
    arguments: dict[str, Any] = {"ignore_result": not options.keep_result}
    headers: dict[str, Any] = {}
    if is_delayed(job):
        arguments["eta"] = _time(options.not_before_us or 0)
    elif options.seconds_left(now_us()):
        headers["eta"] = to_iso(options.not_before_us or 0)
    if options.expires_us is not None:
        arguments["expires"] = _time(options.expires_us)
    if options.priority is not None:
        arguments |= _priority(options.priority, over_amqp)
    if options.retry is not None:
        headers["lab_retry"] = options.retry.model_dump()
    return {**arguments, "headers": headers}


def links_of(job: Job, signature: MakeSignature) -> dict[str, Any]:
    """The tasks that follow `job`, as `link` and `link_error`."""
    found: dict[str, Any] = {}
    if job.link is not None:
        found["link"] = _following(job.link, signature)
    if job.link_error is not None:
        # Celery calls an errback with request, error and traceback where the task failed, or sends it with
        # the task's id. Neither is the text of the error: this one sends the task that is meant.
        errback = dict(_following(job.link_error, signature))
        found["link_error"] = signature(job).app.signature("send_errback", args=(errback,))
    return found


def _following(job: Job, signature: MakeSignature) -> Signature:
    """The signature of a task that follows; immutable where it names all of its parameters."""
    made = signature(job)
    made.set(immutable=open_parameter(KINDS[job.kind], job.params) is None)
    made.options["ignore_result"] = True
    return made


def _priority(priority: int, over_amqp: bool) -> Mapping[str, Any]:
    """Redis has the same queue for all, and there zero goes first."""
    if over_amqp:
        return {"queue": priority_queue(CELERY_QUEUE), "priority": priority}
    return {"priority": MAX_PRIORITY - priority}


def _time(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1e6, UTC)
