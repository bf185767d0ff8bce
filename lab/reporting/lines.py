"""Status updates as a worker writes them: one line of JSON each, encoded once."""

import itertools
import os
import secrets
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from pydantic_core import from_json, to_json

from lab.clock import now_us, to_iso
from lab.status import TaskStatus

_MACHINE: Final = secrets.token_hex(6)
_runs = itertools.count()


@dataclass(frozen=True, slots=True)
class Line:
    """One update, as `lab.status.StatusUpdate` reads it."""

    task_id: str
    json: bytes


def head_of(line: bytes) -> dict[str, Any]:
    """The fields of an update before its result and its error, which may be large or unreadable.

    Raises:
        ValueError: it is no update.
    """
    # Within a string of JSON quotes are escaped, so that this is found between fields only.
    head = line.split(b',"result":', 1)[0].split(b',"error":', 1)[0]
    found = from_json(head if head.endswith(b"}") else head + b"}")
    if not isinstance(found, dict) or not isinstance(found.get("task_id"), str):
        raise ValueError("no task_id")
    return found


def without_result(line: Line, reason: str) -> Line | None:
    """The update as FAILED with `reason` as its error; None where it has no result to leave out."""
    if b',"result":' not in line.json:
        return None
    return Line(line.task_id, to_json(head_of(line.json) | {"status": TaskStatus.FAILED, "error": reason}))


class Entitled(Protocol):
    """What may be reported on: a `lab.job.Job`, or as much of one as that takes."""

    @property
    def task_id(self) -> str: ...
    @property
    def token(self) -> str: ...
    @property
    def beside(self) -> bool: ...


class Ticket(NamedTuple):
    """The minimum needed to report: task id and token."""

    task_id: str
    token: str
    beside: bool = False


class Lines:
    """Writes the updates of one run of `job` by `worker`, its `attempt`-th (from 1).

    Args:
        redelivered: its message was delivered before.
    """

    __slots__ = ("_attempt", "_first", "_head", "_token", "_worker", "run", "task_id")

    def __init__(self, job: Entitled, worker: str, attempt: int, redelivered: bool) -> None:
        self.task_id, self._token = job.task_id, job.token
        self._worker, self._attempt, self._first = worker, attempt, not redelivered
        self.run = f"{_MACHINE}-{os.getpid()}-{next(_runs)}"  # forked processes count alike
        self._head = b""

    def line(
        self,
        status: TaskStatus,
        *,
        progress: float | None = None,
        result: Any = None,
        error: str | None = None,
        at_us: int | None = None,
        began_us: int | None = None,
    ) -> Line:
        """The update that the task stands at `status`, `at_us` (microseconds since the epoch) or now, and that
        this run began at `began_us`, where that was not told before."""
        if not self._head:
            head = {
                "task_id": self.task_id,
                "token": self._token,
                "attempt": self._attempt,
                "worker": self._worker,
                "run": self.run,
                "first": self._first,
            }
            self._head = to_json(head)[:-1]
        at = to_iso(now_us() if at_us is None else at_us)
        parts = [self._head, f',"status":"{status}","at":"{at}"'.encode()]
        if began_us is not None:
            parts.append(f',"began_at":"{to_iso(began_us)}"'.encode())
        if progress is not None:
            parts.append(b',"progress":%r' % float(progress))
        if result is not None:
            parts += (b',"result":', to_json(result, inf_nan_mode="null"))
        if error is not None:
            parts += (b',"error":', to_json(error))
        return Line(self.task_id, b"".join((*parts, b"}")))
