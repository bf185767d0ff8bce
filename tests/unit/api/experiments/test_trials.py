"""Trials on a store without workers: their ends are made by hand."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from pika.exceptions import AMQPConnectionError

from api.experiments.outages import BrokerWatch
from api.experiments.stand import LabStand, NotAlone, NotDrained, NotFree
from api.experiments.sync_trial import SyncTrial
from api.experiments.trials import BrokeredTrial, TrialTools, cancel_all
from api.services import Services
from experiments.model import Disturbance, Sample, Usage
from experiments.plan import Arm, Plan, PlannedJob, Reports, Workload
from lab.clock import now_us
from lab.delivery import Delivery
from lab.job import Job
from lab.reporting.job_report import Line, Stamp
from lab.reporting.reporter import Reporter
from lab.settings import Settings
from lab.status import GO_ON, StatusUpdate, TaskStatus
from store.tables import outbox, task_events
from store.tasks import NewTask, Store
from transports.base import SendError
from transports.sync import SyncTransport

JOBS = [PlannedJob(at=0.0, seconds=0.01), PlannedJob(at=0.0, seconds=0.02, fails=True)]
CONSUMER = Arm(method="rabbitmq", delivery=Delivery.NAIVE)
SYNC = Arm(method="sync")


class Meter:
    """Measures nothing."""

    def begin(self, arm: Arm) -> None: ...

    def end(self) -> dict[str, Usage]:
        return {"publisher": Usage(cpu_seconds=1.0)}

    def disturbance(self) -> Disturbance:
        return Disturbance(foreign=0.01)


class Relay:
    """Publishes nothing, and notes what it is told."""

    name = "a relay"

    def __init__(self) -> None:
        self.woken: list[str] = []
        self.cancelled: list[str] = []

    def wake(self, method: str) -> None:
        self.woken.append(method)

    def cancel(self, method: str, task_id: str) -> None:
        self.cancelled.append(task_id)


class Sender(SyncTransport):
    """Takes jobs, and notes them; refuses the first `refuses`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, lambda *_: lambda *_, **__: GO_ON)
        self.sent: list[tuple[Job, Delivery, int]] = []
        self.refuses = 0

    def send(self, job: Job, delivery: Delivery = Delivery.SAFE) -> int:
        if self.refuses:
            self.refuses -= 1
            raise SendError("the broker is away")
        self.sent.append((job, delivery, now_us()))
        return self.sent[-1][2]


class Stamps(Reporter):
    """Gives stamps to the store at once, and keeps who was cancelled."""

    def __init__(self, store: Store) -> None:
        super().__init__("http://nobody")
        self._store = store
        self.stamps: list[Stamp] = []

    def stamp(self, stamp: Stamp | Line) -> None:
        assert isinstance(stamp, Stamp)
        self.stamps.append(stamp)
        begin = stamp.lines.line(TaskStatus.IN_PROGRESS, at_us=stamp.began_us)
        for line in (begin, stamp.line()):
            self._store.apply([StatusUpdate.model_validate_json(line.json)])


@pytest.fixture
def relay() -> Relay:
    return Relay()


@pytest.fixture
def sender(parts: Services) -> Sender:
    return Sender(parts.settings)


@pytest.fixture
def desk(parts: Services, relay: Relay, sender: Sender) -> TrialTools:
    plan = Plan(
        arms=[CONSUMER, SYNC], jobs=2, payload_bytes=10, work=Workload.FAILING, reports=Reports.IN_PATH
    )
    rows = parts.experiments.rows
    return TrialTools(
        parts.settings, parts.secret, parts.store, rows, relay, Meter(), rows.add(plan), plan, 2,  # type: ignore[arg-type]
        BrokerWatch("amqp://nobody"), threading.Event(), {"rabbitmq": sender}, Stamps(parts.store),
    )  # fmt: skip


@pytest.fixture
def beside(desk: TrialTools) -> TrialTools:
    """The desk of an experiment whose reports travel beside the path."""
    return replace(desk, plan=desk.plan.model_copy(update={"reports": Reports.BESIDE}))


@pytest.fixture
def sync(desk: TrialTools) -> Iterator[SyncTrial]:
    trial = SyncTrial(desk, SYNC)
    yield trial
    trial.close()


def tasks_of(desk: TrialTools) -> list[dict[str, Any]]:
    return desk.store.get_all([*desk.rows.unfinished_tasks(desk.experiment_id)])


def apply(desk: TrialTools, task: dict[str, Any], status: TaskStatus) -> None:
    desk.store.apply([StatusUpdate(task_id=task["id"], status=status, worker="w@h")])


def hold(monkeypatch: pytest.MonkeyPatch, messages: dict[str, int]) -> None:
    """Has so many messages in the queues, and little patience with them."""
    monkeypatch.setattr("api.experiments.stand.ready", lambda _settings, queue: messages.get(queue, 0))
    monkeypatch.setattr("api.experiments.stand.DRAIN_SECONDS", 0.3)
    monkeypatch.setattr("api.experiments.stand.IDLE_SECONDS", 0.3)


def wait_for_ends(trial: BrokeredTrial, count: int) -> None:
    deadline = time.monotonic() + 20
    while trial.ended() < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_jobs_become_tasks_of_the_experiment_that_wait_in_the_outbox(
    desk: TrialTools, relay: Relay, parts: Services
) -> None:
    BrokeredTrial(desk, CONSUMER).send(JOBS)
    first, second = tasks_of(desk)
    assert (first["kind"], first["method"], first["delivery"]) == ("experiment_job", "rabbitmq", "naive")
    assert first["experiment_id"] == desk.experiment_id
    assert first["params"] == {"seconds": 0.01, "work": "wait", "serial": 1, "payload": "x" * 10}
    assert second["params"]["serial"] == 2
    assert second["params"]["fails"] is True
    assert parts.outbox.waiting() == 2
    assert relay.woken == ["rabbitmq"]


def test_a_trial_counts_its_own_ends_alone(desk: TrialTools) -> None:
    other = BrokeredTrial(desk, CONSUMER)
    other.send(JOBS)
    trial = BrokeredTrial(desk, CONSUMER)
    trial.send(JOBS)
    assert trial.ended() == 0
    tasks = tasks_of(desk)
    apply(desk, tasks[0], TaskStatus.DONE)
    apply(desk, tasks[2], TaskStatus.FAILED)
    assert (other.ended(), trial.ended()) == (1, 1)
    assert (other.ended(), trial.ended()) == (1, 1)


def test_samples_tell_what_the_store_knows(desk: TrialTools) -> None:
    trial = BrokeredTrial(desk, CONSUMER)
    trial.send(JOBS)
    apply(desk, tasks_of(desk)[0], TaskStatus.DONE)
    done, waiting = trial.samples(JOBS, 1_000_000)
    assert (done.status, done.worker, done.recorded_us is not None) == ("DONE", "w@h", True)
    assert (waiting.status, waiting.recorded_us, waiting.due_us) == ("PENDING", None, 1_000_000)


def test_closing_a_trial_cancels_what_is_left_and_tells_workers_of_what_runs(
    desk: TrialTools, relay: Relay
) -> None:
    trial = BrokeredTrial(desk, CONSUMER)
    trial.send(JOBS)
    running, waiting = tasks_of(desk)
    apply(desk, running, TaskStatus.IN_PROGRESS)
    trial.ended()
    trial.close()
    assert relay.cancelled == [running["id"]]
    row = desk.store.get(waiting["id"])
    assert row is not None
    assert row["status"] == "CANCELLED"


def test_closing_a_trial_that_has_ended_asks_for_nothing(desk: TrialTools, relay: Relay) -> None:
    trial = BrokeredTrial(desk, CONSUMER)
    trial.send(JOBS)
    for task in tasks_of(desk):
        apply(desk, task, TaskStatus.DONE)
    assert trial.ended() == 2
    assert not trial.left_behind
    trial.close()
    assert relay.cancelled == []


def test_sync_runs_its_jobs_in_threads_as_they_are_due(desk: TrialTools, sync: SyncTrial) -> None:
    jobs = [*JOBS, *[PlannedJob(at=0.0, seconds=0.05)] * 8]
    sync.send(jobs)
    wait_for_ends(sync, 10)
    samples: list[Sample] = sync.samples(jobs, 1_000_000)
    assert [one.status for one in samples] == ["DONE", "FAILED", *["DONE"] * 8]
    assert {one.worker for one in samples} == {"sync-1", "sync-2"}
    assert all(one.published_us is not None for one in samples)


def test_closing_sync_ends_its_threads_and_what_they_run(desk: TrialTools) -> None:
    before = threading.active_count()
    trial = SyncTrial(desk, SYNC)
    trial.send([PlannedJob(at=0.0, seconds=30.0)] * 5)
    time.sleep(0.2)
    trial.ended()
    trial.close()
    deadline = time.monotonic() + 20
    while threading.active_count() > before or desk.rows.unfinished_tasks(desk.experiment_id):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_all_that_an_experiment_has_left_can_be_cancelled(desk: TrialTools) -> None:
    BrokeredTrial(desk, CONSUMER).send(JOBS)
    cancel_all(desk)
    assert desk.rows.unfinished_tasks(desk.experiment_id) == []


def test_what_ends_a_thread_of_sync_is_told(
    desk: TrialTools, sync: SyncTrial, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OSError("the store is away")

    monkeypatch.setattr(desk.store, "apply", away)
    sync.send(JOBS)
    deadline = time.monotonic() + 20
    with pytest.raises(OSError, match="the store is away"):  # noqa: PT012 - it takes a moment
        while sync.ended() == 0:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    monkeypatch.undo()


def test_no_other_relay_takes_what_waits_until_the_deadline(desk: TrialTools, parts: Services) -> None:
    BrokeredTrial(desk, CONSUMER).send(JOBS)
    with desk.store.engine.connect() as connection:
        left = connection.execute(sa.select(outbox.c.lease_until_us)).scalars().all()
    assert all(until > now_us() + desk.plan.deadline * 1_000_000 for until in left)
    parts.experiments.rows.free_messages(desk.experiment_id)
    assert len(parts.outbox.claim("another relay", "rabbitmq", 10)) == 2


def test_a_message_that_a_dead_worker_only_held_is_not_begun_twice(desk: TrialTools) -> None:
    trial = BrokeredTrial(desk, CONSUMER)
    trial.send(JOBS)
    held, begun = tasks_of(desk)
    apply(desk, begun, TaskStatus.IN_PROGRESS)
    for task in (held, begun):
        for status in (TaskStatus.IN_PROGRESS, TaskStatus.DONE):
            desk.store.apply([StatusUpdate(task_id=task["id"], status=status, worker="w@h", attempt=2)])
    assert [one.attempts for one in trial.samples(JOBS, 1_000_000)] == [1, 2]


def test_an_outage_counts_for_the_trials_that_it_reached_into(desk: TrialTools) -> None:
    before = BrokerWatch("amqp://nobody")
    before.losses = 3
    desk = replace(desk, watch=before)
    untouched = BrokeredTrial(desk, CONSUMER)
    before.away, before.losses = True, 4
    begun_meanwhile = BrokeredTrial(desk, CONSUMER)
    assert (untouched.disturbance().outages, begun_meanwhile.disturbance().outages) == (1, 1)
    before.away = False
    assert BrokeredTrial(desk, CONSUMER).disturbance().outages == 0
    sync = SyncTrial(replace(desk, watch=before), SYNC)
    before.losses = 9
    assert sync.disturbance().outages == 0
    sync.close()


def test_beside_the_path_tasks_are_stored_before_the_repetition_and_their_messages_published_as_they_are_due(
    beside: TrialTools, relay: Relay, sender: Sender, parts: Services
) -> None:
    trial = BrokeredTrial(beside, CONSUMER)
    trial.prepare(JOBS)
    assert [task["status"] for task in tasks_of(beside)] == ["PENDING"] * 2
    assert parts.outbox.waiting() == 0
    assert sender.sent == []
    assert trial.send(JOBS[:1]) == trial.send(JOBS[1:]) == 1
    assert relay.woken == []
    jobs = [job for job, _, _ in sender.sent]
    assert [job.num for job in jobs] == [task["num"] for task in tasks_of(beside)]
    assert all(job.beside and job.token for job in jobs)
    assert {delivery for _, delivery, _ in sender.sent} == {Delivery.NAIVE}
    assert [job.params["serial"] for job in jobs] == [1, 2]


def test_when_messages_were_written_is_noted_after_the_repetition(beside: TrialTools, sender: Sender) -> None:
    trial = BrokeredTrial(beside, CONSUMER)
    trial.prepare(JOBS)
    trial.send(JOBS)
    assert [task["published_us"] for task in tasks_of(beside)] == [None, None]
    written = [at for _, _, at in sender.sent]
    assert [sample.published_us for sample in trial.samples(JOBS, 1_000_000)] == written
    assert [task["published_us"] for task in tasks_of(beside)] == written


def test_what_the_broker_does_not_take_is_sent_when_it_comes_again(
    beside: TrialTools, sender: Sender
) -> None:
    trial = BrokeredTrial(beside, CONSUMER)
    trial.prepare(JOBS)
    sender.refuses = 2
    assert [trial.send(JOBS), trial.send(JOBS), trial.send(JOBS)] == [0, 0, 2]
    assert len({job.task_id for job, _, _ in sender.sent}) == 2


def test_so_few_are_sent_at_a_time_that_the_sender_can_be_stopped(beside: TrialTools) -> None:
    jobs = JOBS[:1] * 250
    trial = BrokeredTrial(beside, CONSUMER)
    trial.prepare(jobs)
    assert trial.send(jobs) == 100


def test_an_experiment_that_is_to_end_prepares_no_more(beside: TrialTools) -> None:
    beside.stop.set()
    BrokeredTrial(beside, CONSUMER).prepare(JOBS)
    assert tasks_of(beside) == []


def test_a_job_that_was_stamped_twice_ran_twice_and_one_told_twice_did_not(beside: TrialTools) -> None:
    trial = BrokeredTrial(beside, CONSUMER)
    trial.prepare(JOBS)
    twice, once = tasks_of(beside)
    with beside.store.engine.begin() as connection:
        for task, at in ((twice, 1), (twice, 2), (once, 5), (once, 5)):
            connection.execute(
                task_events.insert().values(
                    num=task["num"], status="IN_PROGRESS", attempt=1, at_us=at, recorded_us=at
                )
            )
    for task in (twice, once):
        apply(beside, task, TaskStatus.DONE)
    assert [one.attempts for one in trial.samples(JOBS, 1_000_000)] == [2, 1]


def test_workers_are_told_of_all_that_is_cancelled_since_the_store_does_not_know_what_runs(
    beside: TrialTools, relay: Relay
) -> None:
    trial = BrokeredTrial(beside, CONSUMER)
    trial.prepare(JOBS)
    trial.send(JOBS)
    tasks = tasks_of(beside)
    trial.close()
    assert relay.cancelled == [task["id"] for task in tasks]
    assert tasks_of(beside) == []
    assert trial.lingers == trial.longest == 0.02


def test_beside_the_path_sync_stamps_its_jobs(beside: TrialTools) -> None:
    jobs = [*JOBS, *[PlannedJob(at=0.0, seconds=0.05)] * 8]
    trial = SyncTrial(beside, SYNC)
    try:
        trial.prepare(jobs)
        assert trial.send(jobs) == 10
        wait_for_ends(trial, 10)
        samples = trial.samples(jobs, 1_000_000)
    finally:
        trial.close()
    assert isinstance(beside.reporter, Stamps)
    assert sorted(stamp.status for stamp in beside.reporter.stamps) == [*["DONE"] * 9, "FAILED"]
    assert {one.worker for one in samples} == {"sync-1", "sync-2"}
    for one in samples:
        assert one.published_us is not None
        assert one.started_us is not None
        assert one.finished_us is not None
        assert one.published_us <= one.started_us
        assert one.started_us + one.seconds * 900_000 <= one.finished_us


def test_closing_sync_ends_what_runs_beside_the_path_too(beside: TrialTools) -> None:
    before = threading.active_count()
    trial = SyncTrial(beside, SYNC)
    jobs = [PlannedJob(at=0.0, seconds=30.0)] * 5
    trial.prepare(jobs)
    trial.send(jobs)
    time.sleep(0.2)
    trial.close()
    deadline = time.monotonic() + 20
    while threading.active_count() > before or beside.rows.unfinished_tasks(beside.experiment_id):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_stand_waits_for_what_a_trial_has_left_and_fails_where_it_does_not_end(
    desk: TrialTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(monkeypatch, {})
    stand = LabStand(desk)
    trial = stand.open(CONSUMER)
    trial.send(JOBS)
    running = tasks_of(desk)[0]
    apply(desk, running, TaskStatus.IN_PROGRESS)
    trial.close()
    assert trial.longest == 0.02
    with pytest.raises(NotDrained, match=r"RabbitMQ, by the tutorial"):
        stand.open(CONSUMER)


def test_the_first_trial_begins_when_the_workers_have_ended_what_others_left(
    desk: TrialTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, looks = {"tasks.naive": 2, "celery": 4}, iter(range(100))

    def take(queue: str) -> int:
        if next(looks) < 3:
            raise AMQPConnectionError
        left[queue] = max(0, left.get(queue, 0) - 1)
        return left[queue]

    monkeypatch.setattr("api.experiments.stand.ready", lambda _settings, queue: take(queue))
    LabStand(desk).open(CONSUMER)
    assert not any(left.values())


def test_messages_that_nobody_takes_hold_up_only_those_that_would_stand_behind_them(
    desk: TrialTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(monkeypatch, {"celery": 5})
    assert LabStand(desk).open(CONSUMER).arm is CONSUMER
    hold(monkeypatch, {"tasks.naive": 3})
    with pytest.raises(NotAlone, match=r"tasks\.naive: 3"):
        LabStand(desk).open(CONSUMER)


def test_a_broker_that_stays_away_is_said_to_be(desk: TrialTools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.experiments.stand.DRAIN_SECONDS", 0.1)
    with pytest.raises(NotFree, match="the broker does not answer"):
        LabStand(desk).open(CONSUMER)  # nobody listens at its address


def test_what_is_left_of_an_experiment_that_is_to_end_is_cancelled_at_last(desk: TrialTools) -> None:
    trial = BrokeredTrial(desk, CONSUMER)
    trial.send(JOBS)
    desk.stop.set()
    trial.close()
    assert len(tasks_of(desk)) == 2
    cancel_all(desk)
    assert not tasks_of(desk)


def test_a_stand_opens_the_kind_of_trial_that_an_arm_needs(
    desk: TrialTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(monkeypatch, {})
    stand = LabStand(desk)
    assert type(stand.open(CONSUMER)) is BrokeredTrial
    trial = stand.open(SYNC)
    assert type(trial) is SyncTrial
    trial.close()


def test_tasks_that_are_not_of_the_experiment_and_that_its_methods_workers_begin_meanwhile_are_counted(
    beside: TrialTools, parts: Services
) -> None:
    methods = ("rabbitmq", "celery", "rabbitmq")
    rows = parts.store.add([NewTask(method, "add", {"x": 1, "y": 2}, 0.0) for method in methods]).rows
    apply(beside, rows[0], TaskStatus.IN_PROGRESS)
    trial = BrokeredTrial(beside, CONSUMER)
    trial.prepare(JOBS)
    for row in (*rows[1:], *tasks_of(beside)):
        apply(beside, row, TaskStatus.IN_PROGRESS)
    assert trial.disturbance().others == 1
