import time

import pytest

import transports
from lab.delivery import Delivery
from lab.job import Job
from lab.options import Options
from lab.settings import Settings
from lab.status import TaskStatus, UpdateAnswer
from transports.celery.transport import task_arguments

NOWHERE = Settings.from_env({"RMQ_URL": "amqp://student:qwerty@127.0.0.1:1/"})
JOB = Job(task_id="x", num=7, params={"timeout": 0.0}, token="t")


def no_report(job: Job, attempt: int) -> None:  # type: ignore[empty-body]
    """For transports that report from elsewhere."""


@pytest.mark.parametrize("name", transports.TRANSPORTS)
def test_a_transport_carries_the_name_that_it_stands_under(name: str) -> None:
    assert transports.transport_class(name).name == name


@pytest.mark.parametrize("name", ["celery", "rabbitmq"])
@pytest.mark.parametrize("delivery", Delivery)
def test_a_broker_that_is_away_is_answered_not_raised(name: str, delivery: Delivery) -> None:
    transport = transports.create_transport(name, NOWHERE, no_report)  # type: ignore[arg-type]
    submission = transport.submit([JOB], delivery)
    assert submission.confirmed == {}
    assert submission.error
    transport.cancel(["x"])
    transport.close()


def test_an_unknown_method_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        transports.transport_class("pigeon")


def test_sync_runs_all_jobs_whatever_becomes_of_one() -> None:
    seen: list[tuple[int, TaskStatus]] = []

    def report_for(job: Job, attempt: int):  # type: ignore[no-untyped-def]
        def report(status: TaskStatus, **_: object) -> UpdateAnswer:
            seen.append((job.num, status))
            return UpdateAnswer(task_id=job.task_id)

        return report

    jobs = [JOB, Job(task_id="y", num=8, kind="make_tea"), Job(task_id="z", num=9, params={"timeout": 0.0})]
    submission = transports.create_transport("sync", NOWHERE, report_for).submit(jobs)
    assert submission.confirmed.keys() == {"x", "y", "z"}
    assert [(num, status) for num, status in seen if status.final] == [
        (7, TaskStatus.DONE),
        (8, TaskStatus.FAILED),
        (9, TaskStatus.DONE),
    ]


def test_sync_tries_a_job_again_after_a_pause_until_it_succeeds_or_has_no_try_left() -> None:
    seen: list[tuple[str, int, TaskStatus]] = []

    def report_for(job: Job, attempt: int):  # type: ignore[no-untyped-def]
        def report(status: TaskStatus, **_: object) -> UpdateAnswer:
            seen.append((job.task_id, attempt, status))
            return UpdateAnswer(task_id=job.task_id)

        return report

    soon = Options.model_validate({"retry": {"policy": "fixed", "delay": 0.3}})
    flaky, failing = (
        Job(task_id=kind, num=1, kind=kind, params=params, max_retries=1, options=soon)
        for kind, params in (("flaky_task", {"timeout": 0.0, "times": 1}), ("failing_task", {"timeout": 0.0}))
    )
    begin = time.monotonic()
    transports.create_transport("sync", NOWHERE, report_for).submit([flaky, failing])
    assert time.monotonic() - begin >= 0.6
    begun, again = TaskStatus.IN_PROGRESS, TaskStatus.RETRYING
    assert [(attempt, status) for name, attempt, status in seen if name == "flaky_task"] == [
        (1, begun), (1, again), (2, begun), (2, TaskStatus.DONE),
    ]  # fmt: skip
    assert [(attempt, status) for name, attempt, status in seen if name == "failing_task"] == [
        (1, begun), (1, again), (2, begun), (2, TaskStatus.FAILED),
    ]  # fmt: skip


def test_sync_does_not_run_what_has_ended() -> None:
    seen: list[TaskStatus] = []

    def report_for(job: Job, attempt: int):  # type: ignore[no-untyped-def]
        def report(status: TaskStatus, **_: object) -> UpdateAnswer:
            seen.append(status)
            return UpdateAnswer(task_id=job.task_id, status=TaskStatus.DONE)

        return report

    assert transports.create_transport("sync", NOWHERE, report_for).submit([JOB]).confirmed
    assert seen == [TaskStatus.IN_PROGRESS]


def test_celery_gets_the_arguments_that_the_tasks_take() -> None:
    assert task_arguments(Job(task_id="x", num=7, params={"timeout": 5.0})) == ([7, 5.0, "celery"], {})
    data = Job(task_id="x", num=7, kind="process_data", params={"numbers": [1.0]})
    assert task_arguments(data) == ([], {"numbers": [1.0], "task_num": 7})


def test_sync_stops_when_the_time_of_its_request_is_over() -> None:
    ended: dict[str, tuple[TaskStatus, object]] = {}

    def report_for(job: Job, attempt: int):  # type: ignore[no-untyped-def]
        def report(status: TaskStatus, *, error: object = None, **_: object) -> UpdateAnswer:
            if status.final:
                ended[job.task_id] = status, error
            return UpdateAnswer(task_id=job.task_id)

        return report

    jobs = [Job(task_id=str(n), num=n, params={"timeout": 1.5}) for n in range(4)]
    began = time.monotonic()
    transports.create_transport("sync", NOWHERE.with_(sync_max_seconds=0.0), report_for).submit(jobs)
    assert time.monotonic() - began < 4
    assert [ended[str(n)][0] for n in range(4)] == [TaskStatus.DONE] + [TaskStatus.FAILED] * 3
    assert "longer than" in str(ended["3"][1])
