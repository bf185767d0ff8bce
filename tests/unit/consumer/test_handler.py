import pytest
from pika.spec import BasicProperties

from consumer.handler import ACK, REQUEUE, Action, Handler, Settlement
from lab.clock import now_us
from lab.context import Report
from lab.job import Job
from lab.logs import JobLog
from lab.options import Options
from lab.reporter import ReportFailed
from lab.status import TaskStatus, Verdict

JOB = Job(task_id="x", num=7, params={"timeout": 0.0}, token="t")


class Reports:
    """Report functions that write down statuses, and raise or skip where told to."""

    def __init__(self, verdict: Verdict | None = None, fail_on: TaskStatus | None = None) -> None:
        self.seen: list[tuple[TaskStatus, int]] = []
        self._verdict = verdict or Verdict(task_id="x")
        self._fail_on = fail_on

    def __call__(self, job: Job, attempt: int, redelivered: bool) -> Report:
        self.redelivered = redelivered

        def report(status: TaskStatus, **_: object) -> Verdict:
            if status is self._fail_on:
                raise ReportFailed("away")
            self.seen.append((status, attempt))
            return self._verdict

        return report


def handle(reports: Reports, body: bytes, redelivered: bool = False, **headers: int) -> Settlement | None:
    properties = BasicProperties(headers={name.replace("_", "-"): value for name, value in headers.items()})
    handler = Handler(reports, JobLog("test", "en"))
    run = handler.read(body, properties, redelivered)
    return None if run is None else handler.run(run)


def test_a_job_is_acknowledged_after_its_end_was_reported() -> None:
    reports = Reports()
    assert handle(reports, JOB.model_dump_json().encode()) is ACK
    assert reports.seen == [(TaskStatus.IN_PROGRESS, 1), (TaskStatus.DONE, 1)]


def test_a_failed_job_is_acknowledged_too() -> None:
    reports = Reports()
    bad = JOB.model_copy(update={"kind": "make_tea"})
    assert handle(reports, bad.model_dump_json().encode()) is ACK
    assert reports.seen[-1][0] is TaskStatus.FAILED


def test_a_job_whose_end_nobody_takes_goes_back_to_the_queue() -> None:
    reports = Reports(fail_on=TaskStatus.DONE)
    assert handle(reports, JOB.model_dump_json().encode()) is REQUEUE


def test_a_job_that_is_not_to_run_is_acknowledged() -> None:
    reports = Reports(Verdict(task_id="x", status=TaskStatus.DONE))
    assert handle(reports, JOB.model_dump_json().encode()) is ACK
    assert reports.seen == [(TaskStatus.IN_PROGRESS, 1)]


def test_a_message_that_came_before_is_a_later_attempt() -> None:
    reports = Reports()
    handle(reports, JOB.model_dump_json().encode(), redelivered=True, x_delivery_count=2)
    assert reports.seen[0] == (TaskStatus.IN_PROGRESS, 3)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"\xff\xfe\x00",
        b'{"task_id": "x"}',
        b'{"task_id": "x", "num": "7"}',
        b'{"task_id": "x", "num": 7, "callback_url": "http://elsewhere/"}',
        b'{"task_id": "x", "num": 7, "kind": "__import__(1)"}',
    ],
)
def test_a_message_that_holds_no_job_is_not_run(body: bytes) -> None:
    reports = Reports()
    assert handle(reports, body) is None
    assert reports.seen == []


def test_arrival_start_and_end_are_logged_with_the_number(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    handle(Reports(), JOB.model_dump_json().encode())
    assert [record.getMessage() for record in caplog.records] == [
        "Received task: process_task[x] (7, 0.0)",
        "Started task 7",
        "Finished task 7",
    ]


def test_a_job_that_failed_for_now_is_published_again_before_its_message_is_acknowledged() -> None:
    reports = Reports()
    flaky = Job(task_id="x", num=7, kind="flaky_task", params={"timeout": 0.0, "times": 5}, retries=1)
    settlement = handle(reports, flaky.model_dump_json().encode(), redelivered=True, x_delivery_count=2)
    assert settlement is not None
    assert settlement.action is Action.RETRY
    assert settlement.again is not None
    assert (settlement.again.attempt, settlement.again.retries) == (4, 2)
    assert 0.5 <= settlement.again.options.seconds_left(now_us()) <= 2.0
    assert reports.seen[-1] == (TaskStatus.RETRYING, 3)


def test_a_job_without_retries_left_fails() -> None:
    reports = Reports()
    failing = Job(task_id="x", num=7, kind="failing_task", params={"timeout": 0.0}, retries=3)
    assert handle(reports, failing.model_dump_json().encode()) is ACK
    assert reports.seen[-1] == (TaskStatus.FAILED, 1)


def test_a_cancelled_job_is_reported_so_and_acknowledged() -> None:
    reports = Reports(Verdict(task_id="x", status=TaskStatus.IN_PROGRESS, cancel=True))
    assert handle(reports, JOB.model_dump_json().encode()) is ACK
    assert reports.seen == [(TaskStatus.IN_PROGRESS, 1), (TaskStatus.CANCELLED, 1)]


def test_a_report_knows_whether_its_message_came_before() -> None:
    reports = Reports()
    handle(reports, JOB.model_dump_json().encode())
    assert not reports.redelivered
    handle(reports, JOB.model_dump_json().encode(), redelivered=True)
    assert reports.redelivered


def test_a_copy_of_a_message_that_is_worked_on_is_acknowledged_and_not_run() -> None:
    reports = Reports(Verdict(task_id="x", status=TaskStatus.IN_PROGRESS, skip=True))
    assert handle(reports, JOB.model_dump_json().encode()) is ACK
    assert reports.seen == [(TaskStatus.IN_PROGRESS, 1)]


def test_what_follows_is_published_before_the_message_is_acknowledged() -> None:
    callback = Job(task_id="y", num=8, kind="multiply", params={"y": 10.0})
    errback = Job(task_id="z", num=9, kind="word_count")
    links = {"link": callback, "link_error": errback}
    good = Job(task_id="x", num=7, kind="add", params={"x": 4.0, "y": 4.0}, link=callback, link_error=errback)
    settlement = handle(Reports(), good.to_json())
    assert settlement == Settlement(Action.ACK, then=(callback.with_input(8.0),))
    bad = JOB.model_copy(update={"kind": "make_tea", **links})
    settlement = handle(Reports(), bad.to_json())
    assert settlement is not None
    (following,) = settlement.then
    assert (following.task_id, following.params["text"][:11]) == ("z", "UnknownKind")


@pytest.mark.parametrize(
    ("status", "result", "follows"), [("DONE", 8.0, ["y"]), ("FAILED", "no", ["z"]), ("CANCELLED", None, [])]
)
def test_what_follows_a_job_that_had_ended_is_published_again(
    status: str, result: object, follows: list[str]
) -> None:
    reports = Reports(Verdict(task_id="x", status=TaskStatus(status), result=result))
    links = {
        "link": Job(task_id="y", num=8, kind="multiply", params={"y": 10.0}),
        "link_error": Job(task_id="z", num=9, kind="word_count"),
    }
    settlement = handle(reports, JOB.model_copy(update=links).to_json(), redelivered=True)
    assert settlement is not None
    assert [job.task_id for job in settlement.then] == follows


def test_a_job_that_comes_too_late_is_cancelled_and_not_run() -> None:
    reports = Reports()
    late = JOB.model_copy(update={"options": Options(expires_us=now_us() - 1)})
    assert handle(reports, late.to_json()) is ACK
    assert reports.seen == [(TaskStatus.CANCELLED, 1)]
