import random

import pytest

from experiments import curves
from experiments.figures import KEYS, TITLES, figures_of, spans_of, values_of
from experiments.histogram import DAY_US, Histogram
from experiments.model import METRICS, Sample, Usage
from experiments.plan import Reports
from tests.experiment_samples import BEGUN, a_plan, a_sample, samples_of, usage_of

IN_PATH = Reports.IN_PATH


def test_the_spans_of_a_job_are_what_lies_between_its_moments() -> None:
    assert spans_of(a_sample(), IN_PATH) == {
        "submit": 700,
        "publish": 1_000,
        "queue": 2_000,
        "overhead": 1_000,
        "report": 1_000,
        "end_to_end": 15_000,
    }


def test_where_nothing_waits_for_the_report_a_job_ends_by_its_workers_stamp() -> None:
    spans = spans_of(a_sample(recorded_us=BEGUN + 900_000), Reports.BESIDE)
    assert spans == {"submit": 700, "publish": 1_000, "queue": 2_000, "overhead": 1_000, "end_to_end": 14_000}


def test_latency_counts_from_the_time_a_job_was_due() -> None:
    late = a_sample(published_us=BEGUN + 5_000_000, recorded_us=BEGUN + 5_020_000)
    assert spans_of(late, IN_PATH)["publish"] == 5_000_000
    assert spans_of(late, IN_PATH)["end_to_end"] == 5_020_000


def test_clocks_that_differ_make_no_negative_span() -> None:
    spans = spans_of(
        a_sample(published_us=BEGUN + 4_000, finished_us=BEGUN + 12_000, recorded_us=BEGUN + 11_000),
        IN_PATH,
    )
    assert (spans["queue"], spans["overhead"], spans["report"]) == (0, 0, 0)


def test_what_a_job_did_not_come_to_has_no_span() -> None:
    waiting = a_sample(started_us=None, finished_us=None, recorded_us=None, status="PENDING", worker=None)
    assert spans_of(waiting, IN_PATH) == {"submit": 700, "publish": 1_000}


@pytest.mark.parametrize("count", [1, 7, 99, 1_000, 12_345])
def test_percentiles_are_those_of_the_nearest_rank_within_a_thousandth(count: int) -> None:
    dice = random.Random(count)
    durations = sorted(round(dice.lognormvariate(10, 2)) for _ in range(count))
    found = Histogram(durations).at([0, 50, 90, 99, 99.9, 100])
    for percentile, us in found.items():
        exact = durations[max(1, -int(-round(percentile * count / 100, 6) // 1)) - 1]
        assert exact <= us <= exact * 1.001 + 1


def test_an_empty_histogram_says_nothing_and_a_long_span_counts_as_a_day() -> None:
    assert Histogram([]).at([50]) == {}
    assert Histogram([]).curve() == []
    assert Histogram([3 * DAY_US]).max == DAY_US


def test_the_percentile_curve_rises_and_ends_where_the_jobs_do() -> None:
    few = Histogram(range(1, 101)).curve()
    assert [at for at, _us in few][-1] == 99
    assert few == sorted(few)
    assert Histogram(range(1, 100_001)).curve()[-1][0] == 99.999


def test_figures_of_a_repetition_with_known_jobs() -> None:
    samples = [a_sample(index, due=index * 10_000, worker=f"w{index % 2}") for index in range(100)]
    figures = figures_of(samples, a_plan(reports=IN_PATH), BEGUN, {})
    assert figures.jobs == 100
    assert figures.seconds == pytest.approx(0.99 + 0.015)
    assert figures.throughput == pytest.approx(100 / 1.005)
    assert set(figures.spreads) == set(METRICS)
    assert figures.spreads["queue"].p50 == pytest.approx(2, rel=0.001)
    assert figures.spreads["end_to_end"].max == 15.0
    assert figures.per_worker == {"w0": 50, "w1": 50}
    assert (figures.failed, figures.retries, figures.duplicates, figures.lost) == (0, 0, 0, 0)


def test_the_figures_do_not_depend_on_when_stamps_came() -> None:
    soon = [a_sample(index, due=index * 10_000) for index in range(100)]
    late = [sample.model_copy(update={"recorded_us": BEGUN + 9_000_000}) for sample in soon]
    figures = figures_of(late, a_plan(), BEGUN, {})
    assert figures == figures_of(soon, a_plan(), BEGUN, {})
    assert figures.throughput == pytest.approx(100 / (0.99 + 0.014))
    assert "report" not in figures.spreads
    assert figures.done_curve[-1] == (pytest.approx(1.004), 1.0)


def test_what_went_wrong_is_counted_and_what_was_lost_has_no_latency() -> None:
    samples = [
        a_sample(0),
        a_sample(1, status="FAILED"),
        a_sample(2, attempts=4, retries=2),
        a_sample(3, status="CANCELLED", recorded_us=BEGUN + 300_000_000),
        a_sample(
            4, status="PENDING", started_us=None, finished_us=None, recorded_us=None, attempts=0, worker=None
        ),
    ]
    figures = figures_of(samples, a_plan(reports=IN_PATH), BEGUN, {})
    assert (figures.failed, figures.retries, figures.duplicates, figures.lost) == (1, 2, 1, 2)
    assert figures.spreads["end_to_end"].count == 3
    assert figures.spreads["end_to_end"].max == 15.0
    assert figures.done_curve[-1] == (0.015, 0.6)
    assert figures.depth_curve[-1][1] == 1


def test_nothing_ended_is_no_error() -> None:
    waiting: list[Sample] = [
        a_sample(i, status="PENDING", started_us=None, finished_us=None, recorded_us=None, worker=None)
        for i in range(3)
    ]
    for samples, depth in ((waiting, 3), ([], None)):
        figures = figures_of(samples, a_plan(deadline=2.0), BEGUN, {})
        assert (figures.throughput, figures.lost, figures.spreads) == (0.0, len(samples), {})
        assert figures.done_curve == figures.throughput_curve == figures.latency_curve == []
        assert (figures.depth_curve[-1] if samples else None) == (None if depth is None else (2.0, depth))


def test_a_stall_stands_in_the_p99_of_what_was_due_meanwhile() -> None:
    samples = []
    for index in range(1_000):
        due = index * 10_000
        end = max(due, 7_000_000) if 2_000_000 <= due < 7_000_000 else due
        samples.append(a_sample(index, due, recorded_us=BEGUN + end + 15_000))
    assert figures_of(samples, a_plan(reports=IN_PATH), BEGUN, {}).spreads["end_to_end"].p99 > 4_800


def test_bytes_a_job_are_of_the_methods_clients_in_both_directions() -> None:
    figures = figures_of(samples_of(a_plan(), 0, 1), a_plan(), BEGUN, usage_of(a_plan(), 0))
    assert figures.per_job == {"bytes": 1_000.0}
    assert figures_of(samples_of(a_plan(), 2, 1), a_plan(), BEGUN, usage_of(a_plan(), 2)).per_job == {}


def test_traffic_that_was_seen_on_one_side_only_is_not_told() -> None:
    usage = {
        "workers": Usage(bytes_in=1, bytes_out=2),
        "publisher": Usage(bytes_in=1),
    }
    assert figures_of([a_sample()], a_plan(), BEGUN, usage).per_job == {}


def test_values_are_by_key_and_cpu_time_is_a_jobs() -> None:
    values = values_of(figures_of(samples_of(a_plan(), 0, 1), a_plan(), BEGUN, usage_of(a_plan(), 0)))
    assert values["cpu.workers"] == pytest.approx(1.5 * 1000 / 200)
    assert values["memory.api"] == 80 << 20
    assert "memory.broker" not in values
    assert list(values) == [key for key in KEYS if key in values]
    assert set(TITLES) == set(KEYS)
    assert TITLES["end_to_end.p999"] == ("End to end, p99.9", "ms")
    assert TITLES["memory.broker"] == ("Memory, broker", "MiB")


def test_curves_of_many_jobs_have_at_most_two_hundred_points_and_lose_nothing() -> None:
    samples = [a_sample(index, due=index * 1_000) for index in range(5_000)]
    figures = figures_of(samples, a_plan(reports=IN_PATH), BEGUN, {})
    for curve in (figures.done_curve, figures.throughput_curve, figures.depth_curve, figures.latency_curve):
        assert 2 <= len(curve) <= curves.POINTS
        assert curve == sorted(curve, key=lambda point: point[0])
    assert figures.done_curve[0] == (0.0, 0.0)
    assert figures.done_curve[-1] == (figures.seconds, 1.0)
    assert sum(rate for _at, rate in figures.throughput_curve) * (
        figures.seconds / len(figures.throughput_curve)
    ) == pytest.approx(5_000)


def test_a_short_peak_of_the_queue_is_in_its_curve() -> None:
    peak = [a_sample(i, due=500_000, started_us=BEGUN + 502_000) for i in range(300)]
    calm = [a_sample(300 + i, due=i * 20_000) for i in range(100)]
    curve = curves.depth([*peak, *calm], BEGUN, BEGUN + 2_000_000)
    assert max(level for _at, level in curve) >= 300
    assert curve[-1][1] <= 1


@pytest.mark.parametrize(
    ("jobs", "told"),
    [(99, {"p50", "max"}), (100, {"p50", "p90", "max"}), (1_000, {"p50", "p90", "p99", "max"})],
)
def test_a_percentile_of_too_few_jobs_is_not_told(jobs: int, told: set[str]) -> None:
    values = values_of(figures_of([a_sample(index) for index in range(jobs)], a_plan(), BEGUN, {}))
    assert {key.partition(".")[2] for key in values if key.startswith("queue.")} == told
