"""Messages of plain tasks, made like one that Celery made.

`send_task` looks up routes, queues and settings anew for each message, which costs more than sending it. For
tasks that differ only in their number, arguments and id it does so once.
https://docs.celeryq.dev/en/stable/internals/protocol.html#version-2
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from celery import Celery
from celery.signals import after_task_publish, before_task_publish
from celery.utils.saferepr import saferepr
from kombu.utils.json import dumps, loads

from lab.job import Job
from lab.options import NONE

MOST: Final = 100


@dataclass(frozen=True)
class Published:
    """A message, and the arguments of basic.publish that it went with."""

    message: Any
    exchange: str
    routing_key: str
    mandatory: bool


class Samples:
    """For each kind of task of `app` a message that others are made like, with other arguments and ids."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._samples: dict[tuple[Any, ...], tuple[Published, Any]] = {}

    @staticmethod
    def fits(job: Job) -> bool:
        """Whether nothing goes with the job: no option, no task that follows, nobody who listens to signals."""
        return (
            (job.options is NONE or job.options == NONE)
            and job.link is None
            and job.link_error is None
            and job.group_id is None
            and not (before_task_publish.receivers or after_task_publish.receivers)
        )

    def keep(self, job: Job, published: Published) -> None:
        """Remembers what Celery made of `job`, which `fits`."""
        if len(self._samples) >= MOST:
            self._samples.clear()
        self._samples[_likeness(job)] = (published, loads(published.message.body)[2])

    def like(self, job: Job, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Published | None:
        """The same for another `job` that `fits`, with the arguments of its task; None where there is no sample
        for it yet."""
        known = self._samples.get(_likeness(job))
        if known is None:
            return None
        sample, embedded = known
        properties = sample.message.properties
        headers = {
            **properties["application_headers"],
            "id": job.task_id,
            "root_id": job.task_id,
            "argsrepr": job.arguments(),
            "kwargsrepr": self._shown(kwargs) if kwargs else "{}",
            "lab_token": job.token,
        }
        message = type(sample.message)(dumps((args, kwargs, embedded)))
        message.properties = {
            **properties,
            "application_headers": headers,
            "correlation_id": job.task_id,
        }
        return Published(message, sample.exchange, sample.routing_key, sample.mandatory)

    def _shown(self, kwargs: Mapping[str, Any]) -> str:
        shown: str = saferepr(
            kwargs, self._app.amqp.kwargsrepr_maxsize, maxlevels=self._app.conf.task_repr_maxlevels
        )
        return shown


def _likeness(job: Job) -> tuple[Any, ...]:
    return job.kind, job.max_retries, job.time_limit
