"""Status updates as a worker writes them: one line of JSON each, encoded once."""

import itertools
import os
import secrets
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import to_json

from lab.clock import now_us, to_iso
from lab.job import Job, Outcome
from lab.status import TaskStatus

_MACHINE: Final = secrets.token_hex(6)
_runs = itertools.count()


@dataclass(frozen=True, slots=True)
class Line:
    """One update, as `lab.status.StatusUpdate` reads it."""

    task_id: str
    json: bytes


class Lines:
    """Writes the updates of one run of `job` by `worker`, its `attempt`-th (from 1).

    Args:
        redelivered: its message was delivered before.
    """

    __slots__ = ("_head", "task_id")

    def __init__(self, job: Job, worker: str, attempt: int, redelivered: bool) -> None:
        self.task_id = job.task_id
        head = {
            "task_id": job.task_id,
            "token": job.token,
            "attempt": attempt,
            "worker": worker,
            "run": f"{_MACHINE}-{os.getpid()}-{next(_runs)}",  # forked processes count alike
            "first": not redelivered,
        }
        self._head = to_json(head)[:-1]

    def line(
        self,
        status: TaskStatus,
        *,
        progress: float | None = None,
        result: Any = None,
        error: str | None = None,
    ) -> Line:
        """The update that the task stands at `status` now."""
        parts = [self._head, f',"status":"{status}","at":"{to_iso(now_us())}"'.encode()]
        if progress is not None:
            parts.append(b',"progress":%r' % float(progress))
        if result is not None:
            parts += (b',"result":', to_json(result, inf_nan_mode="null"))
        if error is not None:
            parts += (b',"error":', to_json(error))
        return Line(self.task_id, b"".join((*parts, b"}")))

    def end(self, outcome: Outcome) -> Line:
        """The update of how the job ended."""
        return self.line(outcome.status, progress=outcome.progress, result=outcome.result, error=outcome.text)
