"""What a method of running a job in the background offers to the side that submits."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from lab.delivery import Delivery
from lab.job import Job
from lab.jobs.context import Report
from lab.plan import WorkflowPlan
from lab.settings import Settings

ReportFor = Callable[[Job, int], Report]  # a job and its attempt, from 1


@dataclass(frozen=True)
class Submission:
    """What became of a batch.

    Attributes:
        confirmed: the ids that are safely with the broker, each with when its message was written (microseconds
            since the epoch).
        error: what stopped the others, which may be submitted again.
        unsendable: ids whose jobs cannot be made into messages, and why: the next try would fail like this one.
    """

    confirmed: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    unsendable: Mapping[str, str] = field(default_factory=dict)


class SendError(Exception):
    """The broker has not taken a job."""


class Transport(ABC):
    """One method. Constructing it connects nothing; the first use does.

    Used from one thread at a time. A transport that lost its connection connects again at the next use.

    Attributes:
        name: the method's name in the API, such as "celery".
        label: the method's name on pages, such as "Celery".
        queue: the broker's queue that its jobs go through, or None.
        in_request: whether `submit` runs the jobs itself and returns when they have ended.
        batch: how many jobs it is given at a time: those of a method that publishes one by one are fewer, so that
            they are published long before anybody takes them for abandoned.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    queue: ClassVar[str | None] = None
    in_request: ClassVar[bool] = False
    batch: ClassVar[int] = 500

    def __init__(self, settings: Settings, report_for: ReportFor) -> None:
        self._settings = settings
        self._report_for = report_for

    @abstractmethod
    def submit(self, jobs: Sequence[Job], delivery: Delivery = Delivery.SAFE) -> Submission:
        """Hands `jobs` over, in order. Never raises for a broker that is away: the answer says so.

        A safe message counts as submitted once the broker has confirmed that it has it; a naive one
        once it was written to the connection.
        """

    def begin(self, jobs: Sequence[Job], delivery: Delivery = Delivery.SAFE) -> Callable[[], Submission]:
        """As `submit`, for a caller with something to do while the broker confirms: what it returns waits for
        that, and is to be called once, in the order of the batches."""
        submission = self.submit(jobs, delivery)
        return lambda: submission

    def send(self, job: Job, delivery: Delivery = Delivery.SAFE) -> int:
        """Publishes one job over a connection that is held, as a program without an outbox does. In the safe mode
        this returns once the broker has confirmed the message. Methods without a broker do not offer it.

        Returns:
            when the message was written, in microseconds since the epoch.

        Raises:
            SendError: the broker is away or does not take it. Whether it has the message may be unknown.
        """
        raise NotImplementedError(f"{self.name} sends no messages")

    def submit_workflow(
        self, plan: WorkflowPlan, jobs: Mapping[str, Job], starts: Sequence[str]
    ) -> Submission:
        """Hands over the nodes `starts` of a workflow with whatever of it follows them, in the way of the
        method; `jobs` are all its nodes by name. As safe as `submit`."""
        raise NotImplementedError(f"{self.name} has no workflows")

    def give_up(self, task_ids: Sequence[str]) -> None:  # noqa: B027 - by hand nobody waits for a result
        """Says that these nodes of a workflow will never return anything, to whatever waits for them."""

    def cancel(self, task_ids: Sequence[str]) -> None:  # noqa: B027 - nothing runs elsewhere
        """Tells the workers to stop these tasks. Does nothing where the broker is away: the workers hear
        of a cancellation from the API as well, with their next report."""

    def keep_alive(self) -> None:  # noqa: B027 - most need nothing
        """Called about once a second while there is nothing to submit."""

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Gives back what it holds; it may be used again afterwards."""
