from benchmarks import table
from benchmarks.__main__ import CONTENDERS
from benchmarks.contender import Measured, Row
from lab.delivery import Delivery

KEYS = {
    "celery_lab_vs_outside",
    "rabbitmq_lab_vs_outside",
    "stamps_vs_none",
    "distinct_vs_equal",
    "consumer_untracked_vs_ceiling",
    "consumer_beside_vs_best_peer",
    "consumer_in_path_vs_best_peer",
    "in_path_idle_overhead_ms",
    "relay_vs_delay_confirmed",
    "start_latency_vs_bare_pika",
    "page_1m_vs_1k",
    "fanout_delay_s",
}


def row(key: str, *values: float, **more: float) -> Row:
    made = Row(key, key, "jobs/s")
    for value in values:
        made.add(Measured(value, more), 0.0)
    return made


def test_every_figure_that_the_lab_is_held_to_has_its_key_and_is_made_of_rows_that_are_measured() -> None:
    rows = [row(one.key, 1.0, noop_ratio=1.0, wait_ratio=1.0) for one in CONTENDERS]
    assert set(table.ratios(rows)) == KEYS


def test_a_ratio_is_one_of_medians() -> None:
    rows = [row("relay_consumer", 10.0, 1.0, 12.0), row("delay_confirmed", 5.0, 5.0, 500.0)]
    assert table.ratios(rows) == {"relay_vs_delay_confirmed": 2.0}


def test_the_best_peer_is_the_yardstick() -> None:
    rows = [
        row("consumer_stored", 60.0),
        row("celery_bare", 10.0),
        row("dramatiq", 30.0),
        row("taskiq", 20.0),
    ]
    assert table.ratios(rows) == {"consumer_beside_vs_best_peer": 2.0}


def test_the_contender_and_the_load_that_are_farthest_from_what_they_are_outside_count() -> None:
    rows = [
        row("outside_celery_naive", 1.2, noop_ratio=1.2, wait_ratio=1.0),
        row("outside_celery_safe", 0.8, noop_ratio=0.9, wait_ratio=0.8),
    ]
    assert table.ratios(rows) == {"celery_lab_vs_outside": 0.8}


def test_one_round_that_was_disturbed_does_not_decide_how_near_the_outside_is() -> None:
    rows = [row(f"outside_celery_{delivery}", 1.0, noop_ratio=1.0, wait_ratio=1.0) for delivery in Delivery]
    rows[0].more["noop_ratio"] = [0.98, 0.6, 1.02]
    assert table.ratios(rows)["celery_lab_vs_outside"] == 0.98


def test_the_contender_that_pays_most_for_its_stamps_counts() -> None:
    names = ("celery_naive", "celery_safe", "tutorial", "consumer")
    rows = [row(f"{name}_{way}", 100.0) for name in names for way in ("beside", "untracked")]
    rows[2].values = [90.0]
    assert table.ratios(rows) == {"stamps_vs_none": 0.9}


def test_a_ratio_of_what_was_not_measured_is_left_out() -> None:
    assert table.ratios([row("relay_consumer", 10.0), row("delay_confirmed")]) == {}


def test_the_table_says_what_was_reached_and_what_was_not() -> None:
    text = "\n".join(table.lines([row("page_1k", 10.0), row("page_1m", 16.0), row("fanout", 0.5)]))
    (page,) = [line for line in text.splitlines() if line.startswith("page with")]
    assert page.split()[-6:] == ["1.600", "at", "most", "1.5", "not", "reached"]
    (fanout,) = [line for line in text.splitlines() if line.startswith("status to the last of 200 pages, s")]
    assert fanout.split()[-5:] == ["0.500", "at", "most", "1", "reached"]


def test_a_figure_that_is_to_be_near_one_may_be_off_in_either_direction() -> None:
    near = next(ratio for ratio in table.RATIOS if ratio.key == "distinct_vs_equal")
    assert near.wanted == "0.9 to 1.1"
    assert [near.reached(value) for value in (0.89, 0.9, 1.0, 1.1, 1.11)] == [False, True, True, True, False]


def test_what_each_guarantee_costs_is_told_for_both() -> None:
    rows = [
        row("outside_celery_naive", 1.0, lab_noop=1300.0),
        row("outside_celery_safe", 1.0, lab_noop=600.0),
        row("in_path_celery", 150.0),
        row("outside_rabbitmq_safe", 1.0, lab_noop=900.0),
    ]
    assert table.guarantees(rows)[2:] == [
        "| as it comes | 1,300 | – |",
        "| safe | 600 | 900 |",
        "| safe, reports in the path | 150 | – |",
    ]


def test_a_row_that_was_skipped_says_why() -> None:
    skipped = row("ceiling_quorum")
    skipped.skipped = "there is no C compiler"
    assert any("there is no C compiler" in line for line in table.lines([skipped]))
    assert skipped.to_json()["value"] is None


def test_the_readmes_tables_have_the_same_figures() -> None:
    text = table.markdown([row("page_1k", 10.0), row("page_1m", 16.0)])
    assert (
        "| page with 1,000,000 tasks ÷ with 1,000 | 1.60 | at most 1.5, not reached | `page_1m_vs_1k` |"
        in text
    )
    assert "| page_1k | 10.00 | 10.00 | 10.00 | jobs/s |" in text
