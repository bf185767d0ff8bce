import time

import pytest

from consumer.jobs import Action
from lab.broker import amqp
from lab.clock import now_us
from lab.job import Job
from lab.options import Options
from lab.status import TaskStatus, UpdateAnswer
from tests.unit.consumer.stage import Message, Stage, hanging, until

JOB = Job(task_id="x", num=7, params={"timeout": 0.0}, token="t")
DONE = (Action.ACK, [])


def test_a_job_is_acknowledged_after_its_end_was_reported() -> None:
    stage = Stage()
    assert stage.settlement(Message(JOB)) == DONE
    assert stage.reports == [("x", TaskStatus.IN_PROGRESS, 1, False), ("x", TaskStatus.DONE, 1, False)]


def test_a_failed_job_is_acknowledged_too() -> None:
    stage = Stage()
    assert stage.settlement(Message(JOB.model_copy(update={"kind": "make_tea"}))) == DONE
    assert stage.statuses()[-1] is TaskStatus.FAILED


def test_a_job_whose_end_nobody_takes_goes_back_to_the_queue() -> None:
    stage = Stage(fail_on=TaskStatus.DONE)
    assert stage.settlement(Message(JOB)) == (Action.REQUEUE, [])


@pytest.mark.parametrize("verdict", [{"status": TaskStatus.DONE}, {"skip": True}])
def test_a_job_that_is_not_to_run_is_acknowledged(verdict: dict[str, object]) -> None:
    stage = Stage(verdict=UpdateAnswer.model_validate({"task_id": "x", **verdict}))
    assert stage.settlement(Message(JOB)) == DONE
    assert stage.statuses() == [TaskStatus.IN_PROGRESS]


def test_a_message_that_came_before_is_a_later_attempt_and_asks_first() -> None:
    stage = Stage()
    stage.settlement(Message(JOB, redelivered=True, count=1))
    assert stage.reports[0] == ("x", TaskStatus.IN_PROGRESS, 2, True)


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
        b'{"task_id": "x", "num": 7, "options": {"not_before_us": 1%s}}' % (b"0" * 400),
        b'{"task_id": "x", "num": 7, "options": {"expires_us": 9223372036854775808}}',
        b'{"task_id": "x", "num": 1%s}' % (b"0" * 5000),
        b'{"task_id": "x", "num": 7, "attempt": 9223372036854775808}',
        b'{"task_id": "x", "num": 7, "params": {"a": %s}}' % (b"[" * 100_000 + b"]" * 100_000),
        b'{"task_id": "\\ud800", "num": 7}',
    ],
)
def test_a_message_that_holds_no_job_is_rejected(body: bytes) -> None:
    stage = Stage()
    assert stage.settlement(Message(body)) == (Action.REJECT, [])
    assert stage.reports == []


def test_arrival_start_and_end_are_logged_with_the_number(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    Stage().settlement(Message(JOB))
    assert [record.getMessage() for record in caplog.records] == [
        "Received task: process_task[x] (7, 0.0)",
        "Started task 7",
        "Finished task 7",
    ]


def test_a_job_whose_reports_go_beside_is_logged_for_debugging_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    Stage().settlement(Message(JOB.model_copy(update={"beside": True})))
    assert [record.levelname for record in caplog.records] == ["DEBUG"] * 3


def test_a_job_that_failed_for_now_is_published_again_before_its_message_is_acknowledged() -> None:
    stage = Stage()
    flaky = Job(task_id="x", num=7, kind="flaky_task", params={"timeout": 0.0, "times": 5}, retries=1)
    action, (again,) = stage.settlement(Message(flaky, redelivered=True, count=1))
    assert action is Action.ACK
    assert (again.attempt, again.retries) == (3, 2)
    assert 0.5 <= again.options.seconds_left(now_us()) <= 2.0
    assert stage.reports[-1][1:3] == (TaskStatus.RETRYING, 2)


def test_a_job_without_retries_left_fails() -> None:
    stage = Stage()
    failing = Job(task_id="x", num=7, kind="failing_task", params={"timeout": 0.0}, retries=3)
    assert stage.settlement(Message(failing)) == DONE
    assert stage.statuses()[-1] is TaskStatus.FAILED


@pytest.mark.parametrize("status", [TaskStatus.IN_PROGRESS, TaskStatus.RETRYING])
def test_a_cancelled_job_is_reported_so_and_acknowledged(status: TaskStatus) -> None:
    stage = Stage(verdict=UpdateAnswer(task_id="x", status=status, cancel=True))
    assert stage.settlement(Message(JOB)) == DONE
    assert stage.statuses() == [TaskStatus.IN_PROGRESS, TaskStatus.CANCELLED]


def test_what_follows_is_published_before_the_message_is_acknowledged() -> None:
    callback = Job(task_id="y", num=8, kind="multiply", params={"y": 10.0})
    errback = Job(task_id="z", num=9, kind="word_count")
    links = {"link": callback, "link_error": errback}
    good = Job(task_id="x", num=7, kind="add", params={"x": 4.0, "y": 4.0}, link=callback, link_error=errback)
    assert Stage().settlement(Message(good)) == (Action.ACK, [callback.with_input(8.0)])
    bad = JOB.model_copy(update={"kind": "make_tea", **links})
    _, (following,) = Stage().settlement(Message(bad))
    assert (following.task_id, following.params["text"][:11]) == ("z", "UnknownKind")


@pytest.mark.parametrize(
    ("status", "result", "follows"), [("DONE", 8.0, ["y"]), ("FAILED", "no", ["z"]), ("CANCELLED", None, [])]
)
def test_what_follows_a_job_that_had_ended_is_published_again(
    status: str, result: object, follows: list[str]
) -> None:
    stage = Stage(verdict=UpdateAnswer(task_id="x", status=TaskStatus(status), result=result))
    links = {
        "link": Job(task_id="y", num=8, kind="multiply", params={"y": 10.0}),
        "link_error": Job(task_id="z", num=9, kind="word_count"),
    }
    _, following = stage.settlement(Message(JOB.model_copy(update=links), redelivered=True))
    assert [job.task_id for job in following] == follows


def test_a_job_that_comes_too_late_is_cancelled_and_not_run() -> None:
    stage = Stage()
    late = JOB.model_copy(update={"options": Options(expires_us=now_us() - 1)})
    assert stage.settlement(Message(late)) == DONE
    assert stage.statuses() == [TaskStatus.CANCELLED]


def test_whether_a_job_comes_too_late_is_judged_by_the_clock_that_jobs_are_given() -> None:
    stage = Stage(now_us=lambda: 5_000_000)
    in_time = JOB.model_copy(update={"options": Options(expires_us=6_000_000)})
    assert stage.settlement(Message(in_time)) == DONE
    assert stage.statuses()[-1] is TaskStatus.DONE


def test_a_job_whose_time_is_further_away_goes_through_the_next_delay_queue() -> None:
    stage = Stage()
    later = JOB.model_copy(update={"options": Options(not_before_us=now_us() + 5_000_000)})
    assert stage.settlement(Message(later)) == (Action.ACK, [later])
    assert stage.reports == []


def test_an_urgent_message_that_came_before_goes_on_through_the_ordinary_queue() -> None:
    stage = Stage()
    urgent = JOB.model_copy(update={"options": Options(priority=9)})
    action, (job,) = stage.settlement(Message(urgent, redelivered=True))
    assert (action, job.attempt, job.options.priority, job.suspect) == (Action.ACK, 2, None, True)
    assert stage.reports == []


def test_a_message_that_came_back_twice_goes_on_as_a_suspect_and_is_counted_from_the_beginning() -> None:
    stage = Stage()
    assert stage.settlement(Message(JOB, redelivered=True, count=1)) == DONE
    stage.reports.clear()
    action, (job,) = stage.settlement(Message(JOB, redelivered=True, count=2))
    assert (action, job.attempt, job.suspect) == (Action.ACK, 3, True)
    assert stage.reports == []


def test_a_suspect_that_kills_its_process_is_a_dead_letter_and_no_other_job_is_harmed() -> None:
    stage = Stage(2)
    errback = Job(task_id="errback", num=9, kind="word_count")
    killer = Job(
        task_id="k",
        num=1,
        kind="killer_task",
        params={"timeout": 0.0},
        suspect=True,
        attempt=3,
        link_error=errback,
    )
    innocent = Message(hanging("innocent", 0.5, suspect=True))
    stage.take(innocent)
    action, (following,) = stage.settlement(Message(killer))
    assert action is Action.REJECT
    assert following.params["text"] == "the job ended its process (SIGKILL)"
    assert ("k", TaskStatus.FAILED, 3, True) in stage.reports
    assert innocent.wait(20)
    assert innocent.settled == [DONE]


def test_as_many_jobs_run_at_once_as_it_is_told() -> None:
    stage, messages = Stage(3), [Message(hanging(str(n), 0.4)) for n in range(6)]
    begin = time.monotonic()
    stage.take(*messages)
    for message in messages:
        assert message.wait()
    assert 0.8 <= time.monotonic() - begin < 2
    assert all(message.settled == [DONE] for message in messages)


def test_what_is_urgent_runs_before_what_came_earlier() -> None:
    stage, first = Stage(), Message(hanging("first", 0.5))
    stage.take(first)
    until(lambda: bool(stage.jobs.running))
    ordinary = [Message(JOB.model_copy(update={"task_id": name})) for name in ("a", "b")]
    urgent = [
        Message(JOB.model_copy(update={"task_id": f"u{priority}", "options": Options(priority=priority)}))
        for priority in (1, 9, 0)
    ]
    stage.take(*ordinary, *urgent)
    for message in (*ordinary, *urgent):
        assert message.wait()
    begun = [task_id for task_id, status, _, _ in stage.reports if status is TaskStatus.IN_PROGRESS]
    assert begun == ["first", "u9", "u1", "u0", "a", "b"]


def test_a_message_that_is_not_wanted_any_more_is_not_run() -> None:
    stage, stale = Stage(), Message(hanging("stale", 0.0))
    stale.wanted = False
    stage.take(stale)
    assert not stale.wait(0.3)
    assert stage.reports == []


@pytest.mark.parametrize("busy", [False, True])
def test_a_message_of_a_job_that_runs_here_already_is_settled_with_it_and_not_run_again(busy: bool) -> None:
    stage = Stage(1 if busy else 2)
    callback = Job(task_id="y", num=8, kind="word_count")
    first, again = (Message(hanging("same", 0.4, link=callback)) for _ in range(2))
    stage.take(first)
    until(lambda: bool(stage.jobs.running))
    stage.take(again)
    assert first.wait()
    assert again.wait()
    assert first.settled == [DONE]
    assert [(action, len(following)) for action, following in again.settled] == [(Action.ACK, 1)]
    assert stage.statuses("same") == [TaskStatus.IN_PROGRESS, TaskStatus.DONE]


def test_a_grown_pool_runs_more_at_once_and_a_shrunk_one_lets_what_runs_end() -> None:
    stage, messages = Stage(1), [Message(hanging(str(n), 1.0)) for n in range(4)]
    jobs = stage.jobs
    jobs.grow(2)
    stage.take(*messages)
    until(lambda: len(jobs.running) == 3)
    assert jobs.waiting() == 1
    jobs.shrink(2)
    assert (jobs.waiting(), len(jobs.running)) == (1, 3)
    for message in messages:
        assert message.wait()
    last = [Message(hanging(f"last{n}", 0.3)) for n in range(2)]
    stage.take(*last)
    until(lambda: len(jobs.running) == 1)
    assert (jobs.waiting(), jobs.concurrency) == (1, 1)
    for message in last:
        assert message.wait()
    until(lambda: jobs.ended == 6)


def test_a_job_that_a_limit_holds_keeps_no_thread_busy() -> None:
    stage, held = Stage(1), [Message(hanging(str(n), 0.0)) for n in range(3)]
    stage.jobs.hold.rate_limit("hanging_task", "1/h")
    stage.take(*held)
    assert held[0].wait()
    until(lambda: len(stage.jobs.hold) == 2)
    stage.settlement(Message(JOB))
    assert not held[1].settled
    stage.jobs.hold.rate_limit("hanging_task", "0")
    assert held[1].wait()
    assert held[2].wait()


def test_a_held_job_that_is_cancelled_or_whose_connection_was_lost_takes_no_turn() -> None:
    stage = Stage(1)
    stage.jobs.hold.rate_limit("hanging_task", "1/h")
    first, gone, stopped = (Message(hanging(name, 0.0)) for name in ("first", "gone", "stopped"))
    stage.take(first, gone, stopped)
    assert first.wait()
    until(lambda: len(stage.jobs.hold) == 2)
    gone.wanted = False
    stage.cancelled.add("stopped")
    assert stopped.wait()
    until(lambda: not len(stage.jobs.hold))
    assert stage.statuses("gone") == []


def test_a_job_waits_for_its_time_without_a_thread() -> None:
    stage = Stage(1)
    options = Options(not_before_us=now_us() + 600_000)
    later = Message(JOB.model_copy(update={"options": options}))
    stage.take(later)
    assert (len(stage.jobs.hold), stage.jobs.waiting()) == (1, 0)
    at_once = Message(hanging("at once", 0.0))
    stage.take(at_once)
    assert at_once.wait(0.5)
    assert later.wait()
    assert now_us() >= (options.not_before_us or 0)


def test_what_has_not_begun_goes_back_to_the_queue_when_it_is_asked_for() -> None:
    stage, running = Stage(1), Message(hanging("running", 0.5))
    stage.take(running)
    until(lambda: bool(stage.jobs.running))
    stage.jobs.hold.rate_limit("process_task", "1/h")
    early = Message(hanging("early", 0.0, options=Options(not_before_us=now_us() + 900_000)))
    limited = [Message(JOB.model_copy(update={"task_id": name})) for name in "ab"]
    in_line = Message(hanging("in line", 0.0))
    stage.take(early, *limited, in_line)
    until(lambda: stage.jobs.waiting() == 2)  # the first of its kind has its turn at once
    stage.jobs.hand_back()
    for message in (early, *limited, in_line):
        assert message.settled == [(Action.REQUEUE, [])]
    assert running.wait()
    assert running.settled == [DONE]


def test_a_message_with_a_header_that_cannot_be_read_is_rejected() -> None:
    stage, message = Stage(), Message(JOB)
    message.properties.headers = {"t": amqp.Unreadable("T:8000000000000000")}
    assert stage.settlement(message) == (Action.REJECT, [])
    assert stage.reports == []
