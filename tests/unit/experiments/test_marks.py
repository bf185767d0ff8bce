import pytest

from experiments.figures import figures_of
from experiments.marks import marks_of, marks_of_run
from experiments.model import ArmTurn, Disturbance, Experiment, Figures, Sample
from experiments.plan import Plan
from tests.experiment_samples import ARMS, BEGUN, a_plan, a_sample, an_experiment, an_open_plan


def a_run(plan: Plan, samples: list[Sample], turn: int = 1, **disturbance: object) -> ArmTurn:
    found = Disturbance.model_validate(disturbance)
    return ArmTurn(turn=turn, arm=0, begun_us=BEGUN, figures=figures_of(samples, plan, BEGUN, {}, found))


def test_a_quiet_repetition_has_no_mark() -> None:
    samples = [a_sample(index, index * 10_000) for index in range(200)]
    assert marks_of_run(a_run(an_open_plan(), samples)) == {}
    assert an_experiment().marks == {}


def test_a_sender_that_stood_still_is_late_in_a_burst_too() -> None:
    at = [index * 1_000 + (4_000_000 if index >= 100 else 0) for index in range(200)]
    samples = [a_sample(index, published_us=BEGUN + us, started_us=BEGUN + us) for index, us in enumerate(at)]
    assert marks_of_run(a_run(a_plan(), samples))["late_sender"].value == pytest.approx(4.0, abs=0.01)


def test_a_sender_that_falls_behind_bit_by_bit_is_late_in_an_open_loop() -> None:
    samples = [a_sample(n, n * 10_000, published_us=BEGUN + n * 30_000) for n in range(200)]
    assert marks_of_run(a_run(an_open_plan(), samples))["late_sender"].value > 3


def test_more_jobs_than_are_done_make_the_queue_grow() -> None:
    samples = [
        a_sample(n, n * 10_000, started_us=BEGUN + n * 20_000, finished_us=BEGUN + n * 20_000)
        for n in range(1_000)
    ]
    mark = marks_of_run(a_run(an_open_plan(), samples))["growing_queue"]
    assert (mark.of, mark.value) == (pytest.approx(100, rel=0.02), pytest.approx(50, rel=0.02))


@pytest.mark.parametrize("off", [-0.05, 0.05])
def test_a_clock_that_is_surely_off_is_told_with_its_sign(off: float) -> None:
    us = round(off * 1e6)
    samples = [
        a_sample(
            n,
            n * 10_000,
            started_us=BEGUN + n * 10_000 + 3_000 + us,
            finished_us=BEGUN + n * 10_000 + 14_000 + us,
        )
        for n in range(50)
    ]
    mark = marks_of_run(a_run(an_open_plan(), samples))["clock_offset"]
    assert mark.value == pytest.approx(off, abs=0.003)


@pytest.mark.parametrize(("measured", "said"), [(0.05, 0.05), (-0.05, -0.05), (0.01, 0.0), (None, 0.0)])
def test_a_clock_is_off_by_what_the_round_trips_of_its_reports_measured(
    measured: float | None, said: float
) -> None:
    run = a_run(an_open_plan(), [a_sample(n, n * 10_000) for n in range(200)], clock_offset=measured)
    assert run.figures.clock_offset == said


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("foreign", 0.3, "foreign_load"),
        ("outages", 1, "outages"),
        ("restarts", 2, "restarts"),
        ("others", 30, "other_tasks"),
    ],
)
def test_what_came_from_outside_is_a_mark(name: str, value: float, kind: str) -> None:
    run = a_run(a_plan(), [a_sample(n) for n in range(100)], **{name: value})
    assert {found: mark.value for found, mark in marks_of_run(run).items()} == {kind: value}


@pytest.mark.parametrize(("name", "value"), [("foreign", 0.05), ("others", 1), ("foreign", None)])
def test_a_little_from_outside_is_none(name: str, value: float | None) -> None:
    assert marks_of_run(a_run(a_plan(), [a_sample(n) for n in range(50)], **{name: value})) == {}


def test_an_arm_is_marked_with_the_worst_of_its_repetitions_and_the_warm_up_counts_not() -> None:
    samples = [a_sample(n) for n in range(100)]
    plan = a_plan(arms=ARMS[:1])
    runs = [a_run(plan, samples, turn, foreign=share) for turn, share in enumerate((0.9, 0.2, 0.3))]
    (mark,) = marks_of(plan, runs)["foreign_load"]
    assert (mark.arm, mark.turn, mark.value) == (0, 2, 0.3)


def test_figures_that_were_stored_before_are_read() -> None:
    whole = an_experiment().runs[0].figures.model_dump(mode="json")
    for name in ("disturbance", "sender_late", "offered", "done", "backlog", "clock_offset"):
        del whole[name]
    whole["usage"] = {"api": {"cpu_seconds": 1.0, "peak_memory": 9, "frames_in": 1, "frames_out": 1}}
    found = Figures.model_validate({**whole, "outages": 2})
    assert (found.disturbance.outages, found.usage["api"].memory) == (2, None)


def test_marks_are_part_of_the_document() -> None:
    marked = an_experiment(marks=marks_of(a_plan(), [a_run(a_plan(), [a_sample()], foreign=0.5)]))
    assert marked.model_dump(mode="json")["marks"]["foreign_load"][0]["value"] == 0.5
    assert Experiment.model_validate_json(marked.model_dump_json()) == marked
