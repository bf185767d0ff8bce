import csv
import io
import math
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

import pytest

from experiments.model import METRICS, Disturbance, Sample
from experiments.table_csv import HEAD, defused, to_csv
from tests.experiment_samples import BEGUN, a_plan, a_sample, an_experiment, an_open_plan, samples_of

EXPERIMENT = an_experiment(an_open_plan(reports="in_path"))


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def of(turn: int, arm: int) -> Sequence[Sample]:
    return samples_of(EXPERIMENT.plan, arm, turn)


def test_there_is_a_row_for_each_job_of_the_counted_repetitions() -> None:
    rows = read("".join(to_csv(EXPERIMENT, of)))
    assert tuple(rows[0]) == HEAD
    assert len(rows) == 5 * 3 * 1_000
    assert {row["turn"] for row in rows} == {"1", "2", "3", "4", "5"}
    assert [row["label"] for row in rows[::1_000]][:3] == ["Celery, safe", "RabbitMQ, safe", "Sync"]


def test_the_tables_figures_can_be_worked_out_again_from_the_rows() -> None:
    spans: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for row in read("".join(to_csv(EXPERIMENT, of))):
        for metric in METRICS:
            spans[row["arm"], metric, row["turn"]].append(float(row[f"{metric}_ms"]))
    for total in EXPERIMENT.totals:
        for metric in METRICS:
            turns = [
                sorted(values)
                for (arm, m, _turn), values in spans.items()
                if (arm, m) == (str(total.arm), metric)
            ]
            for point, percentile in (("p50", 50), ("p90", 90), ("p99", 99), ("max", 100)):
                again = fmean(values[math.ceil(percentile * len(values) / 100) - 1] for values in turns)
                assert total.figures[f"{metric}.{point}"].value == pytest.approx(again, rel=0.001, abs=0.001)


def test_a_row_has_times_in_utc_with_microseconds_and_spans_in_milliseconds() -> None:
    plan = a_plan(arms=EXPERIMENT.plan.arms[:1], repetitions=1, reports="in_path")
    (row, *_) = read("".join(to_csv(an_experiment(plan), lambda turn, arm: [a_sample(7)])))
    assert row["due"] == "2026-05-28T20:26:40.000000Z"
    assert row["finished"] == "2026-05-28T20:26:40.014000Z"
    assert row["marks"] == ""
    assert (row["index"], row["seconds"], row["attempts"], row["retries"]) == ("7", "0.01", "1", "0")
    assert [row[f"{metric}_ms"] for metric in METRICS] == [
        "0.700",
        "1.000",
        "2.000",
        "1.000",
        "1.000",
        "15.000",
    ]


def test_a_row_has_no_report_delay_where_nothing_waited_for_it() -> None:
    plan = a_plan(arms=EXPERIMENT.plan.arms[:1], repetitions=1)
    (row, *_) = read("".join(to_csv(an_experiment(plan), lambda turn, arm: [a_sample(7)])))
    assert [row[f"{metric}_ms"] for metric in METRICS] == ["0.700", "1.000", "2.000", "1.000", "", "14.000"]


def test_a_lost_job_has_a_row_and_no_spans() -> None:
    plan = a_plan(arms=EXPERIMENT.plan.arms[:1], repetitions=1)
    lost = a_sample(
        status="CANCELLED", started_us=None, finished_us=None, recorded_us=BEGUN + 10, worker=None
    )
    (row,) = read("".join(to_csv(an_experiment(plan), lambda turn, arm: [lost])))
    assert row["status"] == "CANCELLED"
    assert row["started"] == row["end_to_end_ms"] == row["publish_ms"] == row["worker"] == ""


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_formula_is_made_a_text(text: str) -> None:
    assert defused(text) == f"'{text}"
    plan = a_plan(arms=EXPERIMENT.plan.arms[:1], repetitions=1)
    (row,) = read("".join(to_csv(an_experiment(plan), lambda turn, arm: [a_sample(worker=text)])))
    assert row["worker"].startswith("'")
    assert defused("consumer-1") == "consumer-1"


def test_a_row_says_what_disturbed_its_repetition() -> None:
    disturbed = [
        run.model_copy(
            update={
                "figures": run.figures.model_copy(update={"disturbance": Disturbance(foreign=0.4, outages=1)})
            }
        )
        for run in EXPERIMENT.runs
    ]
    rows = read("".join(to_csv(EXPERIMENT.model_copy(update={"runs": disturbed}), of)))
    assert {row["marks"] for row in rows} == {"foreign_load outages"}
