from benchmarks import table
from benchmarks.contender import Measured, Row

KEYS = {
    "consumer_untracked_vs_ceiling",
    "celery_untracked_vs_bare",
    "celery_tracked_vs_untracked",
    "consumer_tracked_vs_ceiling",
    "consumer_tracked_vs_best_peer",
    "relay_vs_ceiling",
    "start_latency_vs_bare_pika",
    "page_1m_vs_1k",
    "fanout_delay_s",
}


def row(key: str, *values: float) -> Row:
    made = Row(key, key, "jobs/s")
    for value in values:
        made.add(Measured(value), 0.0)
    return made


def all_rows() -> list[Row]:
    keys = {key for ratio in table.RATIOS for key in (ratio.over, *ratio.under)}
    return [row(key, 1.0) for key in keys]


def test_every_figure_that_the_lab_is_held_to_has_its_key() -> None:
    assert set(table.ratios(all_rows())) == KEYS


def test_a_ratio_is_one_of_medians() -> None:
    rows = [row("relay_consumer", 10.0, 1.0, 12.0), row("ceiling_publish", 20.0, 20.0, 500.0)]
    assert table.ratios(rows) == {"relay_vs_ceiling": 0.5}


def test_the_best_peer_is_the_yardstick() -> None:
    rows = [
        row("consumer_safe_tracked", 60.0),
        row("celery_bare", 10.0),
        row("dramatiq", 30.0),
        row("taskiq", 20.0),
    ]
    assert table.ratios(rows) == {"consumer_tracked_vs_best_peer": 2.0}


def test_a_ratio_of_what_was_not_measured_is_left_out() -> None:
    assert table.ratios([row("relay_consumer", 10.0), row("ceiling_publish")]) == {}


def test_the_table_says_what_was_reached_and_what_was_not() -> None:
    text = "\n".join(table.lines([row("page_1k", 10.0), row("page_1m", 16.0), row("fanout", 0.5)]))
    (page,) = [line for line in text.splitlines() if line.startswith("page with")]
    assert page.split()[-5:] == ["1.600", "≤", "1.5", "not", "reached"]
    (fanout,) = [line for line in text.splitlines() if line.startswith("status to the last of 200 pages, s")]
    assert fanout.split()[-4:] == ["0.500", "≤", "1", "reached"]


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
