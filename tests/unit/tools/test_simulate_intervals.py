from pathlib import Path

from tools.simulate_intervals import NOISES, shares, table

EXPERIMENTS = 500


def test_five_repetitions_hold_the_truth_in_95_of_100_experiments_and_find_a_factor_of_one_and_a_half() -> (
    None
):
    normal = NOISES["normal, 10 %"]
    held, wrong = shares(normal, 1.0, 5, EXPERIMENTS)
    assert 0.93 <= held <= 0.97
    assert wrong <= 0.07
    assert shares(normal, 1.5, 5, EXPERIMENTS)[1] >= 0.95


def test_a_slow_drift_makes_no_difference_between_equal_contenders() -> None:
    assert shares(NOISES["drifting, 1 % a run"], 1.0, 10, EXPERIMENTS)[1] <= 0.02


def test_the_table_of_the_docs_is_the_one_that_the_script_makes() -> None:
    docs = Path("docs/why/experiments.md").read_text()
    head, rule, *rows = table(2)
    assert f"{head}\n{rule}\n" in docs
    for row in rows:
        assert row[: row.index("|", row.index("|", 2) + 1)] in docs
