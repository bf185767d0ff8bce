import pytest

from experiments.model import ArmTurn, Comparison, Disturbance, Finding
from experiments.totals import comparisons_of, headline, totals_of
from tests.experiment_samples import ARMS, a_plan, an_open_plan, bare_run, runs_of


def three_turns(arms: int = 2) -> list[ArmTurn]:
    return [
        bare_run(turn, arm, throughput=100.0 * (arm + 1) + turn, p50=10.0, p99=20.0 + arm)
        for turn in range(4)
        for arm in range(arms)
    ]


def test_a_total_is_the_mean_of_the_repetitions_without_the_warm_up() -> None:
    first, second = totals_of(a_plan(arms=ARMS[:2]), three_turns())
    assert first.figures["throughput"].value == pytest.approx(102)
    assert second.figures["throughput"].value == pytest.approx(202)
    low, high = first.figures["throughput"].low, first.figures["throughput"].high
    assert low is not None
    assert high is not None
    assert low < 101 < 103 < high


def test_the_interval_of_a_figure_does_not_reach_below_zero() -> None:
    runs = [bare_run(turn, 0, throughput=rate, p50=10.0, p99=20.0) for turn, rate in enumerate((9, 1, 20, 1))]
    (total,) = totals_of(a_plan(arms=ARMS[:1]), runs)
    assert (total.figures["throughput"].low, total.figures["throughput"].value) == (
        0.0,
        pytest.approx(22 / 3),
    )


def test_a_difference_is_taken_turn_by_turn() -> None:
    (found,) = comparisons_of(a_plan(arms=ARMS[:2]), three_turns(), ["throughput"])
    assert (found.first, found.second) == (0, 1)
    assert found.difference.value == 100
    assert found.means == pytest.approx((102, 202))
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(202 / 102, rel=0.001)
    assert found.ratio.low is not None
    assert 1.9 < found.ratio.low < found.ratio.value
    assert (found.answer, found.more) == (Finding.DIFFERS, None)


def test_a_turn_that_only_one_arm_ran_does_not_count_in_the_difference() -> None:
    runs = [run for run in three_turns() if (run.turn, run.arm) != (3, 1)]
    (found,) = comparisons_of(a_plan(arms=ARMS[:2]), runs, ["throughput"])
    assert found.difference.value == 100
    assert found.difference.low is None
    assert found.answer is Finding.UNKNOWN


def test_means_and_ratio_are_of_the_turns_that_both_ran_as_the_difference_is() -> None:
    runs = [bare_run(turn, arm, 100.0 * (arm + 1), 1, 1) for turn in range(1, 4) for arm in range(2)]
    (found,) = comparisons_of(a_plan(arms=ARMS[:2]), [*runs, bare_run(4, 0, 900.0, 1, 1)], ["throughput"])
    assert found.ratio is not None
    assert (found.means, found.ratio.value, found.difference.value) == ((100, 200), pytest.approx(2), 100)


def test_values_that_never_vary_are_told_apart_only_beyond_what_the_figures_resolve() -> None:
    def differs(second: float) -> bool:
        runs = [bare_run(turn, arm, 1, (10.0, second)[arm], 9) for turn in range(1, 4) for arm in range(2)]
        (found,) = comparisons_of(plan, runs, ["end_to_end.p50"])
        return found.answer is Finding.DIFFERS

    plan = an_open_plan(arms=ARMS[:2], margin=0.0001)
    assert not differs(10.01)
    assert differs(10.03)


def test_all_pairs_are_compared_in_all_figures_that_both_have() -> None:
    plan = a_plan(repetitions=3)
    comparisons = comparisons_of(plan, runs_of(plan))
    assert {(one.first, one.second) for one in comparisons} == {(0, 1), (0, 2), (1, 2)}
    figures = {
        (one.first, one.second): {
            c.figure for c in comparisons if (c.first, c.second) == (one.first, one.second)
        }
        for one in comparisons
    }
    assert "per_job.bytes" in figures[0, 1]
    assert "per_job.bytes" not in figures[0, 2]
    assert "queue.p90" in figures[1, 2]
    assert "queue.p99" not in figures[1, 2]  # of 200 jobs


def test_an_arm_that_never_ran_has_no_total_and_a_base_of_zero_no_ratio() -> None:
    plan = a_plan(arms=ARMS[:2])
    assert [total.arm for total in totals_of(plan, [run for run in three_turns() if run.arm == 1])] == [1]
    still = [
        bare_run(turn, arm, throughput=float(arm), p50=1, p99=1) for turn in range(1, 4) for arm in range(2)
    ]
    (found,) = comparisons_of(plan, still, ["throughput"])
    assert found.ratio is None
    assert not totals_of(plan, [])
    assert not comparisons_of(plan, [])


def test_headline_figures_get_wider_intervals_the_more_of_them_there_are() -> None:
    plan = an_open_plan(arms=ARMS[:2])
    runs = [
        bare_run(t, a, throughput=10.0 + t * a, p50=10.0 + t * a, p99=9.0)
        for t in range(1, 6)
        for a in range(2)
    ]
    plain, wide = comparisons_of(plan, runs, ["throughput", "end_to_end.p50"])
    assert headline(plan) == ("end_to_end.p50", "end_to_end.p99")
    assert headline(a_plan()) == ("throughput",)
    assert plain.difference.value == wide.difference.value
    assert plain.difference.high is not None
    assert wide.difference.high is not None
    assert wide.difference.high > plain.difference.high


def test_what_went_wrong_adds_up_over_the_counted_repetitions() -> None:
    run = bare_run(1, 0, 1, 1, 1)
    figures = run.figures.model_copy(
        update={
            "lost": 2,
            "duplicates": 1,
            "failed": 3,
            "retries": 4,
            "disturbance": Disturbance(outages=3),
        }
    )
    runs = [run.model_copy(update={"turn": turn, "figures": figures}) for turn in range(3)]
    (total,) = totals_of(a_plan(arms=ARMS[:1]), runs)
    assert (total.failed, total.retries, total.duplicates, total.lost) == (6, 8, 2, 4)
    assert (total.unsound, total.disturbed) == (2, 2)


@pytest.mark.parametrize(("work", "unsound"), [("wait", 1), ("failing", 0)])
def test_jobs_that_fail_as_asked_leave_a_repetition_sound(work: str, unsound: int) -> None:
    run = bare_run(1, 0, 1, 1, 1)
    failed = run.model_copy(update={"figures": run.figures.model_copy(update={"failed": 3})})
    runs = [run, failed.model_copy(update={"turn": 2})]
    (total,) = totals_of(a_plan(arms=ARMS[:1], work=work), runs)
    assert total.unsound == unsound


def test_a_worker_slowed_by_twenty_ms_shows_in_the_overhead_and_the_interval_holds_it() -> None:
    plan = an_open_plan(arms=[ARMS[1], ARMS[1]], reports="in_path")
    comparisons = comparisons_of(plan, runs_of(plan, slower_us=(0, 20_000)))
    by_key = {one.figure: one for one in comparisons}
    found = by_key["overhead.p50"]
    assert found.answer is Finding.DIFFERS
    assert found.difference.low is not None
    assert found.difference.high is not None
    assert found.difference.low <= 20 <= found.difference.high
    assert by_key["publish.p50"].answer is not Finding.DIFFERS
    assert by_key["report.p50"].answer is not Finding.DIFFERS


def test_a_difference_that_is_not_known_says_how_many_repetitions_more_would_tell() -> None:
    runs = [
        bare_run(turn, arm, 100.0 * (1 + 0.2 * ((turn + arm) % 2)), p50=10.0, p99=20.0)
        for turn in range(1, 6)
        for arm in range(2)
    ]
    (found,) = comparisons_of(a_plan(arms=ARMS[:2]), runs, ["throughput"])
    assert found.answer is Finding.UNKNOWN
    assert found.more is not None
    assert 5 < found.more < 100


@pytest.mark.parametrize(("shown", "answer"), [(True, Finding.DIFFERS), (False, Finding.UNKNOWN)])
def test_a_comparison_that_was_stored_before_ratios_had_intervals_is_read(
    shown: bool, answer: Finding
) -> None:
    stored = {"first": 0, "second": 1, "figure": "throughput", "difference": {"value": 1.0}}
    found = Comparison.model_validate({**stored, "ratio": 1.5, "shown": shown})
    assert found.ratio is not None
    assert (found.ratio.value, found.answer) == (1.5, answer)
