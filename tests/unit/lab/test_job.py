import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

from lab.job import MAX_RESULT_BYTES, Job, Outcome, UnknownKind, error_text, run
from lab.jobs.context import Cancelled, Context, TemporaryError, TimeLimitExceeded
from lab.jobs.kinds import KINDS, process_data
from lab.logs import JobLog
from lab.reporting.reporter import ReportFailed
from lab.status import WRONG_TOKEN, TaskStatus, UpdateAnswer

LOG = JobLog("test", "en")


class Notebook:
    """A report function that writes down what it is told."""

    def __init__(self, answer: UpdateAnswer | None = None) -> None:
        self.lines: list[tuple[TaskStatus, float | None, Any, str | None]] = []
        self._answer = answer or UpdateAnswer(task_id="x")

    def __call__(
        self,
        status: TaskStatus,
        *,
        progress: float | None = None,
        result: Any = None,
        error: str | None = None,
    ) -> UpdateAnswer:
        self.lines.append((status, progress, result, error))
        return self._answer


def job(**fields: Any) -> Job:
    return Job.model_validate({"task_id": "x", "num": 7, "params": {"timeout": 0.0}, **fields})


def run_job(job: Job, report: Notebook, attempt: int = 1, log: JobLog = LOG) -> Outcome:
    return run(job, report, log, Context(job.num, attempt, job.time_limit, report))


def test_the_timed_job_takes_its_time_and_reports_its_way() -> None:
    notebook = Notebook()
    begin = time.monotonic()
    outcome = run_job(job(params={"timeout": 1.2}), notebook)
    assert 1.2 <= time.monotonic() - begin < 3
    assert outcome == Outcome(TaskStatus.DONE, {"status": "success", "task_num": 7})
    assert [line[0] for line in notebook.lines] == [TaskStatus.IN_PROGRESS] * 3 + [TaskStatus.DONE]
    shares = [line[1] for line in notebook.lines]
    assert shares == sorted(share for share in shares if share is not None)
    assert shares[0] == 0.0
    assert shares[-1] == 1.0


def test_a_job_of_no_seconds_is_done_at_once() -> None:
    notebook = Notebook()
    run_job(job(), notebook)
    assert [line[0] for line in notebook.lines] == [TaskStatus.IN_PROGRESS, TaskStatus.DONE]


def test_a_task_that_has_ended_is_not_run_again() -> None:
    ended = UpdateAnswer(task_id="x", status=TaskStatus.DONE, result=5)
    notebook = Notebook(ended)
    outcome = run_job(job(params={"timeout": 60.0}), notebook)
    assert outcome == Outcome(TaskStatus.CANCELLED, skipped=ended)
    assert len(notebook.lines) == 1


def test_a_task_that_was_cancelled_before_it_began_is_told_so_and_not_run() -> None:
    notebook = Notebook(UpdateAnswer(task_id="x", cancel=True))
    assert run_job(job(params={"timeout": 60.0}), notebook).skipped is not None
    assert [line[0] for line in notebook.lines] == [TaskStatus.IN_PROGRESS, TaskStatus.CANCELLED]


def test_a_job_that_fails_reports_its_error_and_carries_it() -> None:
    notebook = Notebook()
    outcome = run_job(job(kind="process_data", params={"numbers": []}), notebook)
    assert isinstance(outcome.error, ValueError)
    assert notebook.lines[-1] == (TaskStatus.FAILED, None, None, outcome.text)
    assert outcome.text is not None
    assert outcome.text.startswith("ValueError: ")


@pytest.mark.parametrize(
    ("bad", "expected"), [(job(kind="make_tea"), UnknownKind), (job(params={"seconds": 1}), TypeError)]
)
def test_an_unknown_kind_and_wrong_parameters_fail_the_job(bad: Job, expected: type[Exception]) -> None:
    notebook = Notebook()
    outcome = run_job(bad, notebook)
    assert (outcome.status, type(outcome.error)) == (TaskStatus.FAILED, expected)
    assert notebook.lines[-1][0] is TaskStatus.FAILED


def test_process_data_agrees_with_the_standard_library() -> None:
    numbers = [3.5, -1, 0, 12, 12]
    result = process_data(Context(1), numbers)
    assert result == {
        "count": 5,
        "sum": 26.5,
        "min": -1,
        "max": 12,
        "mean": 5.3,
        "stdev": pytest.approx(statistics.pstdev(numbers)),
    }


def test_a_log_shows_a_jobs_number_and_long_lists_by_length() -> None:
    assert job(params={"timeout": 5.0}).arguments() == "(7, 5.0)"
    assert job(kind="process_data", params={"numbers": [1] * 5000}).arguments() == "(7, [5000 items])"


def test_start_and_end_are_logged_in_the_words_of_the_guide(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    run_job(job(), Notebook(), log=JobLog("Celery Worker celery", "ru"))
    assert [(r.name, r.getMessage()) for r in caplog.records] == [
        ("Celery Worker celery", "Начало обработки задачи 7"),
        ("Celery Worker celery", "Задача 7 завершена успешно"),
    ]


def test_a_job_that_failed_for_now_is_retried_after_a_growing_jittered_wait() -> None:
    for retries, low, high in ((0, 0.5, 1.0), (2, 2.0, 4.0)):
        notebook = Notebook()
        flaky = job(kind="flaky_task", params={"timeout": 0.0, "times": 9}, retries=retries)
        outcome = run_job(flaky, notebook, retries + 1)
        assert (outcome.status, type(outcome.error)) == (TaskStatus.RETRYING, TemporaryError)
        assert low <= outcome.again_seconds <= high
        assert notebook.lines[-1] == (TaskStatus.RETRYING, None, None, outcome.text)


def test_the_last_retry_fails_for_good() -> None:
    notebook = Notebook()
    outcome = run_job(job(kind="failing_task", retries=3), notebook)
    assert outcome.status is TaskStatus.FAILED
    assert "always fails" in str(outcome.error)
    assert notebook.lines[-1][0] is TaskStatus.FAILED


def test_a_flaky_job_succeeds_once_it_has_failed_often_enough() -> None:
    outcome = run_job(job(kind="flaky_task", params={"timeout": 0.0, "times": 2}), Notebook(), 3)
    assert (outcome.status, outcome.result["attempt"]) == (TaskStatus.DONE, 3)


def test_a_job_stops_at_its_next_report_when_it_is_cancelled() -> None:
    class Cancelling(Notebook):
        def __call__(self, status: TaskStatus, **fields: Any) -> UpdateAnswer:
            super().__call__(status, **fields)
            return UpdateAnswer(task_id="x", cancel=bool(fields.get("progress")))

    notebook = Cancelling()
    begin = time.monotonic()
    outcome = run_job(job(params={"timeout": 30.0}), notebook)
    assert time.monotonic() - begin < 5
    assert (outcome.status, type(outcome.error), outcome.skipped) == (TaskStatus.CANCELLED, Cancelled, None)
    assert notebook.lines[-1] == (TaskStatus.CANCELLED, None, None, None)


def test_a_job_over_its_time_limit_fails() -> None:
    notebook = Notebook()
    outcome = run_job(job(params={"timeout": 30.0}, time_limit=0.6), notebook)
    assert (outcome.status, type(outcome.error)) == (TaskStatus.FAILED, TimeLimitExceeded)
    assert notebook.lines[-1][0] is TaskStatus.FAILED


class Own(BaseException):
    """No Exception, as a library may raise."""


class Mute(Exception):
    def __str__(self) -> str:
        raise SystemExit("not even this")

    __repr__ = __str__


def ends(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> tuple[Outcome, Notebook]:
    """How a job that is `work` ends, and what it told."""
    monkeypatch.setitem(KINDS, "add", lambda _context, **_params: work())
    notebook = Notebook()
    return run_job(job(kind="add", params={"x": 1, "y": 2}, max_retries=0), notebook), notebook


def deep(levels: int) -> list[Any]:
    """A list nested `levels` deep."""
    result: list[Any] = []
    for _ in range(levels - 1):
        result = [result]
    return result


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (object(), "unknown type"),
        (b"\xff", "utf-8"),
        ("\ud800", "surrogates"),
        ({"a": [float("nan")]}, "JSON has neither NaN nor infinity"),
        (float("-inf"), "JSON has neither NaN nor infinity"),
        (deep(101), "recursion limit"),
        (deep(1000), "depth"),
        (math.factorial(2000), "number out of range"),
        ("x" * MAX_RESULT_BYTES, "1,048,578 bytes"),
    ],
    ids=[
        "a class",
        "bytes",
        "a surrogate",
        "NaN",
        "infinity",
        "deep",
        "deeper",
        "a long number",
        "long text",
    ],
)
def test_a_result_that_cannot_be_stored_fails_with_the_bounds(
    result: object, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome, notebook = ends(monkeypatch, lambda: result)
    assert (outcome.status, outcome.result) == (TaskStatus.FAILED, None)
    assert outcome.text is not None
    assert outcome.text.startswith("UnstorableResult: the result cannot be stored: ")
    assert why in outcome.text
    assert "1,048,576 bytes, 100 levels, finite numbers of 4,300 digits" in outcome.text
    assert notebook.lines[-1] == (TaskStatus.FAILED, None, None, outcome.text)


@pytest.mark.parametrize(
    ("result", "stored"),
    [
        (math.factorial(1500), math.factorial(1500)),
        (deep(100), deep(100)),
        ("x" * (MAX_RESULT_BYTES - 2), "x" * (MAX_RESULT_BYTES - 2)),
        ((1, 2), [1, 2]),
        (iter([1, 2]), [1, 2]),
        ({1: "one"}, {"1": "one"}),
        ("a\x00", "a\x00"),
        (None, None),
    ],
    ids=[
        "a long number",
        "deep",
        "long text",
        "a tuple",
        "an iterator",
        "a number as a key",
        "NUL",
        "nothing",
    ],
)
def test_a_result_is_what_json_makes_of_it(
    result: object, stored: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome, notebook = ends(monkeypatch, lambda: result)
    assert (outcome.status, outcome.result) == (TaskStatus.DONE, stored)
    assert notebook.lines[-1][2] == stored


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(), SystemExit("bye"), KeyboardInterrupt(), GeneratorExit(), Own("own"), MemoryError(),
        RecursionError("too deep"), StopIteration(3), Mute(), ValueError("\ud800" * 3000), OSError(Mute()),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_whatever_a_job_raises_ends_it_with_what_can_be_told(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def work() -> None:
        raise error

    outcome, notebook = ends(monkeypatch, work)
    assert (outcome.status, outcome.error) == (TaskStatus.FAILED, error)
    assert outcome.text is not None
    assert outcome.text.startswith(f"{type(error).__name__}: ")
    assert outcome.text.encode()
    assert len(outcome.text) <= 2000
    assert notebook.lines[-1] == (TaskStatus.FAILED, None, None, outcome.text)
    assert [record.getMessage()[:13] for record in caplog.records] == ["Task 7 failed"]


def test_what_strikes_a_process_that_is_leaving_is_no_end_of_its_job(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(_context: Context, **_params: object) -> None:
        raise SystemExit

    monkeypatch.setitem(KINDS, "add", work)
    notebook = Notebook()
    with pytest.raises(SystemExit):
        run(job(kind="add"), notebook, LOG, Context(7, report=notebook, leaving=lambda: True))
    assert [line[0] for line in notebook.lines] == [TaskStatus.IN_PROGRESS]


@pytest.mark.parametrize("share", [float("nan"), float("inf"), -1, 10**400])
def test_progress_is_always_a_share(share: float) -> None:
    notebook = Notebook()
    Context(7, report=notebook).progress(share)
    told = notebook.lines[0][1]
    assert told is not None
    assert 0 < told <= 1


FIRST, LINKED, ON_ERROR = (
    Job(task_id=name, num=1, kind="add", params={"y": 2}) for name in ("first", "linked", "on error")
)
WORKFLOW = job(link=LINKED, link_error=ON_ERROR, then=[FIRST])


@pytest.mark.parametrize(
    ("outcome", "following"),
    [
        (Outcome(TaskStatus.DONE, 5), [("first", 5), ("linked", 5)]),
        (Outcome(TaskStatus.FAILED, error=ValueError("no")), [("on error", "ValueError: no")]),
        (Outcome(TaskStatus.RETRYING, error=ValueError("no")), []),
        (Outcome(TaskStatus.CANCELLED, error=Cancelled()), []),
        (
            Outcome(
                TaskStatus.CANCELLED, skipped=UpdateAnswer(task_id="x", status=TaskStatus.DONE, result=5)
            ),
            [("first", 5), ("linked", 5)],
        ),
        (
            Outcome(
                TaskStatus.CANCELLED, skipped=UpdateAnswer(task_id="x", status=TaskStatus.FAILED, result="no")
            ),
            [("on error", "no")],
        ),
        (Outcome(TaskStatus.CANCELLED, skipped=UpdateAnswer(task_id="x", cancel=True)), []),
    ],
    ids=["done", "failed", "retrying", "cancelled", "done before", "failed before", "not begun"],
)
def test_what_follows_a_job_depends_on_how_it_ended(outcome: Outcome, following: list[Any]) -> None:
    assert [(one.task_id, one.params["x"]) for one in outcome.following(WORKFLOW)] == following


def test_the_text_of_an_error_can_always_be_told() -> None:
    assert error_text(ValueError("\ud800")) == "ValueError: \\ud800"


def test_a_job_of_another_lab_is_neither_run_nor_ended() -> None:
    notebook = Notebook(UpdateAnswer(task_id="x", error=WRONG_TOKEN))
    with pytest.raises(ReportFailed, match="another lab's"):
        run_job(job(token="a"), notebook)
    assert [line[0] for line in notebook.lines] == [TaskStatus.IN_PROGRESS]


def test_a_job_without_a_token_was_sent_by_no_lab_and_runs() -> None:
    outcome = run_job(job(), Notebook(UpdateAnswer(task_id="x", error=WRONG_TOKEN)))
    assert outcome.status is TaskStatus.DONE
