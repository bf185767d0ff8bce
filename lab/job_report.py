"""How one run of a job reports."""

from collections.abc import Sequence
from typing import Any, Protocol

from lab.lines import Entitled, Line, Lines, tail
from lab.status import GO_ON, TaskStatus, Verdict


class Desk(Protocol):
    """Where the reports of jobs go: a Reporter, or what leads to one in another process."""

    def ask(self, lines: Sequence[Line], *, must: bool = False) -> list[Verdict]: ...
    def settle(self, lines: Sequence[Line]) -> list[Verdict]: ...
    def note_progress(self, line: Line) -> Verdict: ...


class JobReport(Lines):
    """The report function of one run of a job (`lab.context.Report`).

    IN_PROGRESS at the start asks whether to run. When nobody answers, a job runs unasked, save where its
    message was redelivered: that may be of a job that has ended, and waits for the answer. Progress is sent
    in the background, the newest of each task. A final status returns once the API has taken it or it lies
    in the spool, and raises ReportFailed where neither is to be had.
    """

    __slots__ = ("_reporter", "must_ask")

    def __init__(
        self, reporter: Desk, job: Entitled, worker: str, attempt: int, redelivered: bool, run: str = ""
    ) -> None:
        super().__init__(job, worker, attempt, redelivered, run)
        self._reporter = reporter
        self.must_ask = redelivered

    def __call__(
        self,
        status: TaskStatus,
        *,
        progress: float | None = None,
        result: Any = None,
        error: str | None = None,
    ) -> Verdict:
        line = self.line(status, progress=progress, result=result, error=error)
        if status is not TaskStatus.IN_PROGRESS:
            return self._reporter.settle([line])[0]
        if progress:
            return self._reporter.note_progress(line)
        return self._reporter.ask([line], must=self.must_ask)[0]


class Continued(JobReport):
    """The report function of a run whose beginning another process told, and whose end it may tell as well.

    Args:
        run: the name that it gave the run.
        answer: the JSON of what the API answered, where there was more to it than to go on; None where no answer
            came, and it is asked again here.
        hands_over: DONE is not told here: its `tail` is kept as `left`, for that process to tell it.
    """

    __slots__ = ("_answer", "_hands_over", "left")

    def __init__(
        self,
        reporter: Desk,
        job: Entitled,
        worker: str,
        attempt: int,
        run: str,
        answer: bytes | None,
        *,
        hands_over: bool,
    ) -> None:
        super().__init__(reporter, job, worker, attempt, False, run)
        self._answer = answer
        self._hands_over = hands_over
        self.left = b""

    def __call__(
        self,
        status: TaskStatus,
        *,
        progress: float | None = None,
        result: Any = None,
        error: str | None = None,
    ) -> Verdict:
        if status is TaskStatus.IN_PROGRESS and not progress and self._answer is not None:
            return Verdict.model_validate_json(self._answer) if self._answer else GO_ON
        if status is TaskStatus.DONE and self._hands_over:
            self.left = tail(status, progress, result, error)
            return GO_ON
        if status.final:
            self.left = b""
        return super().__call__(status, progress=progress, result=result, error=error)
