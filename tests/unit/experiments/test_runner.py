"""The runner on a stand whose jobs end as the test says."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import pytest

from experiments.arrivals import order_of
from experiments.model import ArmTurn, Disturbance, Sample, Usage
from experiments.plan import Arm, OpenLoop, Plan, PlannedJob
from experiments.runner import ExperimentStopped, Progress, Runner, Sender, at_once
from lab.clock import now_us


class Trial:
    """Jobs end `lag` seconds after they were sent; the last `lost` of them never."""

    def __init__(self, lag: float = 0.0, lost: int = 0, on_send: Callable[[], None] | None = None) -> None:
        self.sent: list[tuple[PlannedJob, int]] = []
        self.batches: list[int] = []
        self.closed = 0
        self._lag, self._lost, self._on_send = lag, lost, on_send
        self.prepared: tuple[int, int] = (0, 0)
        self.takes = 1_000_000
        self.foreign: float | None = 0.0

    def prepare(self, jobs: Sequence[PlannedJob]) -> None:
        self.prepared = len(jobs), now_us()

    def send(self, jobs: Sequence[PlannedJob]) -> int:
        if self._on_send:
            self._on_send()
        jobs = jobs[: self.takes]
        self.batches.append(len(jobs))
        self.sent += [(job, now_us()) for job in jobs]
        return len(jobs)

    def ended(self) -> int:
        late = now_us() - self._lag * 1_000_000
        return max(0, sum(at <= late for _, at in list(self.sent)) - self._lost)

    def samples(self, jobs: Sequence[PlannedJob], begun_us: int) -> list[Sample]:
        found = []
        for index, job in enumerate(jobs):
            due = begun_us + round(job.at * 1_000_000)
            ended = index < len(jobs) - self._lost
            end = self.sent[index][1] if ended else None
            found.append(
                Sample(
                    index=index,
                    seconds=job.seconds,
                    due_us=due,
                    published_us=end,
                    started_us=end,
                    finished_us=end,
                    recorded_us=end,
                    status="DONE" if ended else "IN_PROGRESS",
                    attempts=1,
                )
            )
        return found

    def usage(self) -> Mapping[str, Usage]:
        return {"workers": Usage(cpu_seconds=1.0)}

    def disturbance(self) -> Disturbance:
        return Disturbance(outages=2, foreign=self.foreign)

    def close(self) -> None:
        self.closed += 1


class Stand:
    def __init__(self, make: Callable[[], Trial] = Trial) -> None:
        self.opened: list[tuple[Arm, Trial]] = []
        self._make = make

    def open(self, arm: Arm) -> Trial:
        assert all(trial.closed for _, trial in self.opened)
        trial = self._make()
        self.opened.append((arm, trial))
        return trial


class Told:
    """What a runner tells."""

    def __init__(self) -> None:
        self.progress: list[Progress] = []
        self.runs: list[tuple[ArmTurn, Sequence[Sample]]] = []

    def on_run(self, run: ArmTurn, samples: Sequence[Sample]) -> None:
        self.runs.append((run, samples))


def plan(**changes: object) -> Plan:
    arms = [Arm(method="celery"), Arm(method="rabbitmq")]
    return Plan.model_validate({"arms": arms, "jobs": 20, "repetitions": 2, **changes})


def run(of: Plan, stand: Stand, stop: threading.Event | None = None) -> Told:
    told = Told()
    Runner(stand, of, told.progress.append, told.on_run, stop or threading.Event()).run()
    return told


def test_the_arms_take_turns_after_a_warm_up() -> None:
    stand = Stand()
    told = run(plan(), stand)
    order = [(turn, arm) for turn in range(3) for arm in order_of(plan(), turn)]
    assert [(one.turn, one.arm) for one, _ in told.runs] == order
    assert [arm.method for arm, _ in stand.opened] == [("celery", "rabbitmq")[arm] for _, arm in order]
    assert told.progress[-1].share == 1.0
    assert {one.figures.disturbance.outages for one, _ in told.runs} == {2}
    assert {p.step for p in told.progress} >= {"warm-up, Celery, safe", "turn 2 of 2, RabbitMQ, safe"}


def busy(shares: Sequence[float]) -> Stand:
    """A stand on whose machine other programs take these shares, trial by trial."""
    left = iter(shares)

    def trial() -> Trial:
        made = Trial()
        made.foreign = next(left, 0.0)
        return made

    return Stand(trial)


def test_a_turn_during_which_other_programs_took_the_machine_is_run_again() -> None:
    stand = busy([0.5, 0.0, 0.0, 0.2])  # the warm-up's does not matter
    told = run(plan(repetitions=1), stand)
    assert [one.turn for one, _ in told.runs] == [0, 0, 1, 1]
    assert len(stand.opened) == 6
    assert {one.figures.disturbance.foreign for one, _ in told.runs[2:]} == {0.0}
    assert told.progress[-1].share == 1.0


def test_of_a_turn_that_is_always_disturbed_the_third_try_is_the_last_and_the_least_disturbed_counts() -> (
    None
):
    stand = busy([0.9, 0.9, 0.2, 0.3, 0.5, 0.5])
    told = run(plan(repetitions=1, warm_up=False), stand)
    assert len(stand.opened) == 6
    assert sorted(one.figures.disturbance.foreign or 0.0 for one, _ in told.runs) == [0.2, 0.3]


def test_without_a_warm_up_the_first_turn_counts() -> None:
    assert [one.turn for one, _ in run(plan(warm_up=False), Stand()).runs] == [1, 1, 2, 2]


def test_a_trial_is_prepared_for_all_its_jobs_before_the_repetition_begins() -> None:
    stand = Stand()
    told = run(plan(), stand)
    assert [trial.prepared[0] for _, trial in stand.opened] == [20] * 6
    for (_, trial), (one, _samples) in zip(stand.opened, told.runs, strict=True):
        assert trial.prepared[1] < one.begun_us


def test_what_a_trial_does_not_take_is_handed_over_again() -> None:
    trial = Trial()
    trial.takes = 0
    jobs = [PlannedJob(at=0.0, seconds=0.0) for _ in range(7)]
    sender = Sender(trial, jobs, now_us())
    sender.start()
    deadline = time.monotonic() + 10
    while not trial.batches:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    trial.takes = 3
    while len(trial.sent) < 7:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    sender.stop()
    assert trial.batches == [0, 3, 3, 1]
    assert [job for job, _ in trial.sent] == jobs


def test_a_sender_whose_jobs_nobody_takes_can_be_stopped() -> None:
    trial = Trial()
    trial.takes = 0
    sender = Sender(trial, [PlannedJob(at=0.0, seconds=0.0)], now_us())
    sender.start()
    begin = time.monotonic()
    sender.stop()
    assert time.monotonic() - begin < 5


def test_both_arms_of_a_turn_get_the_same_jobs() -> None:
    stand = Stand()
    run(plan(duration={"law": "exponential", "mean": 0.1}), stand)
    jobs = [[job for job, _ in trial.sent] for _, trial in stand.opened]
    assert jobs[2] == jobs[3]
    assert jobs[2] != jobs[4]


def test_jobs_of_an_open_loop_go_out_when_they_are_due_however_slow_the_lab_is() -> None:
    arrival = OpenLoop(law="open", rate=50, spacing="even")
    stand = Stand(lambda: Trial(lag=0.5))
    told = run(plan(jobs=25, arrival=arrival, warm_up=False, repetitions=1), stand)
    (_, trial), *_ = stand.opened
    begun = told.runs[0][0].begun_us
    assert all(at >= begun + job.at * 1_000_000 for job, at in trial.sent)
    took = (trial.sent[-1][1] - trial.sent[0][1]) / 1_000_000
    assert 0.4 < took < 2.0  # 24 distances of 20 ms


def test_what_is_due_while_the_lab_is_held_up_goes_out_together_afterwards() -> None:
    held = iter([0.3])
    trial = Trial(on_send=lambda: time.sleep(next(held, 0.0)))
    jobs = [PlannedJob(at=i / 100, seconds=0.0) for i in range(40)]
    sender = Sender(trial, jobs, now_us())
    sender.start()
    deadline = time.monotonic() + 10
    while len(trial.sent) < 40 and time.monotonic() < deadline:
        time.sleep(0.01)
    sender.stop()
    assert max(trial.batches) >= 20
    assert sum(trial.batches) == 40


@pytest.mark.parametrize(
    ("payload_bytes", "jobs"), [(0, 1_000), (8_000, 1_000), (80_000, 100), (1_000_000, 8)]
)
def test_jobs_with_long_messages_are_handed_over_a_few_at_a_time(payload_bytes: int, jobs: int) -> None:
    assert at_once(payload_bytes) == jobs


def test_no_more_jobs_than_told_are_handed_over_together() -> None:
    stand = Stand()
    run(plan(jobs=20, payload_bytes=1_000_000, warm_up=False, repetitions=1), stand)
    assert {max(trial.batches) for _, trial in stand.opened} == {8}


def test_jobs_that_have_not_ended_by_the_deadline_are_lost() -> None:
    stand = Stand(lambda: Trial(lost=3))
    told = run(plan(deadline=0.3, repetitions=1, warm_up=False), stand)
    assert [one.figures.lost for one, _ in told.runs] == [3, 3]
    assert all(trial.closed == 1 for _, trial in stand.opened)


def test_the_race_holds_the_curves_of_the_arms_of_the_running_turn() -> None:
    told = run(plan(jobs=4, repetitions=1), Stand(lambda: Trial(lag=0.2)))
    last = told.progress[-1].race
    assert list(last) == ["celery:safe", "rabbitmq:safe"]
    for curve in last.values():
        assert curve[0] == (0.0, 0.0)
        assert curve[-1][1] == 1.0
        assert curve == sorted(curve)


def test_a_runner_that_is_stopped_closes_what_it_has_open() -> None:
    stop = threading.Event()
    stand = Stand(lambda: Trial(lag=60.0))
    threading.Timer(0.3, stop.set).start()
    begin = time.monotonic()
    with pytest.raises(ExperimentStopped):
        run(plan(), stand, stop)
    assert time.monotonic() - begin < 5
    ((_, trial),) = stand.opened
    assert trial.closed == 1


def test_what_handing_over_raises_ends_the_run() -> None:
    def fail() -> None:
        raise OSError("the store is away")

    stand = Stand(lambda: Trial(on_send=fail))
    with pytest.raises(OSError, match="the store is away"):
        run(plan(), stand)
    assert stand.opened[0][1].closed == 1


def test_a_load_beyond_capacity_is_told_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.runner.HEARD_SECONDS", 0.05)
    arrival = OpenLoop(law="open", rate=400, spacing="even")
    for lag, beyond in ((60.0, True), (0.0, False)):
        of = plan(
            arms=[Arm(method="celery")], jobs=200, arrival=arrival, repetitions=1, warm_up=False, deadline=0.2
        )
        steps = {one.step for one in run(of, Stand(lambda lag=lag: Trial(lag=lag))).progress}  # type: ignore[misc]
        said = [step for step in steps if step.startswith("turn 1 of 1, Celery, safe; beyond capacity: 4")]
        assert bool(said) is beyond, steps
        assert all(step.endswith("/s offered, 0/s done") for step in said)
