import re
from xml.etree import ElementTree

import pytest

from experiments.charts import charts_of, live
from experiments.charts.axes import by_decades, linear, nice_step, nines, rounded_up, upwards
from experiments.charts.svg import DASHES, SLIM, style_of
from experiments.model import ArmTurn
from experiments.plan import Arm, Plan
from lab.delivery import Delivery
from tests.experiment_samples import ARMS, a_plan, an_open_plan, bare_run, runs_of

PLAN = a_plan(arms=[*ARMS, Arm(method="celery", delivery=Delivery.NAIVE)], repetitions=3)
RUNS = runs_of(PLAN)
KEYS = ["distribution", "race", "throughput", "depth", "workers"]


def drawn(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in drawn(svg).iter("text")]


@pytest.mark.parametrize("place", range(5), ids=KEYS)
def test_a_chart_is_an_image_with_a_name_a_description_and_a_table(place: int) -> None:
    chart = charts_of(PLAN, RUNS)[place]
    assert chart.key == KEYS[place]
    for svg in (chart.svg, chart.slim):
        root = drawn(svg)
        assert root.get("role") == "img"
        name, about = (root.get("aria-labelledby") or "").split()
        assert root.find(f"title[@id='{name}']").text == chart.title  # type: ignore[union-attr]
        assert len(root.find(f"desc[@id='{about}']").text or "") > 30  # type: ignore[union-attr]
    assert chart.table.rows
    assert {1 + len(row.cells) for row in chart.table.rows} == {len(chart.table.columns)}
    assert chart.table.caption == chart.title


def test_ids_are_unlike_each_other_on_one_page() -> None:
    charts = [*charts_of(PLAN, RUNS), *charts_of(PLAN, RUNS, prefix="other")]
    ids = re.findall(r' id="([^"]+)"', "".join(chart.svg + chart.slim for chart in charts))
    assert len(ids) == len(set(ids))
    for used in re.findall(r"url\(#([^)]+)\)", "".join(chart.svg for chart in charts)):
        assert used in ids


@pytest.mark.parametrize("key", KEYS)
def test_each_arm_is_named_in_the_picture_and_told_apart_without_colour(key: str) -> None:
    chart = next(chart for chart in charts_of(PLAN, RUNS) if chart.key == key)
    assert {"Celery, safe", "RabbitMQ, safe", "Sync", "Celery, as it comes"} <= set(texts(chart.svg))
    if key == "workers":
        assert len({p.find("path").get("d") for p in drawn(chart.svg).iter("pattern")}) == 4  # type: ignore[union-attr]
    else:
        lines = {
            e.get("stroke-dasharray", "")
            for e in drawn(chart.svg).iter("path")
            if e.get("stroke-width") == "2"
        }
        assert lines == set(DASHES[:4])


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("distribution", {"ms", "percentile of the jobs", "99"}),
        ("race", {"done, %", "seconds since the begin", "100"}),
        ("throughput", {"jobs/s", "seconds since the begin", "0"}),
        ("depth", {"jobs", "seconds since the begin", "200"}),
        ("workers", {"jobs", "celery-0"}),
    ],
)
def test_axes_have_units_and_round_ticks(key: str, words: set[str]) -> None:
    chart = next(chart for chart in charts_of(PLAN, RUNS) if chart.key == key)
    assert words <= set(texts(chart.svg))
    assert words - {"99"} <= set(texts(chart.slim))


@pytest.mark.parametrize("svg", [svg for chart in charts_of(PLAN, RUNS) for svg in (chart.svg, chart.slim)])
def test_everything_lies_within_the_picture_and_names_do_not_cover_each_other(svg: str) -> None:
    width, height = (float(part) for part in (drawn(svg).get("viewBox") or "").split()[2:])
    names = []
    for element in drawn(svg).iter("text"):
        x, y, words = float(element.get("x") or 0), float(element.get("y") or 0), element.text or ""
        assert 0 <= x <= width
        assert 0 <= y <= height
        if element.get("text-anchor") is None and element.get("font-weight") is None and "(" in words:
            assert x + len(words) * 6.4 <= width + 8
            names.append(y)
    assert all(b - a >= 15.9 for a, b in zip(sorted(names), sorted(names)[1:], strict=False))


def test_what_users_and_workers_write_is_escaped() -> None:
    run = bare_run(1, 0, 1, 1, 1)
    named = run.model_copy(update={"figures": run.figures.model_copy(update={"per_worker": {"<b>&'\"": 3}})})
    (chart,) = charts_of(a_plan(arms=ARMS[:1]), [named])
    assert "<b>" not in chart.svg
    assert "<b>&'\"" in texts(chart.svg)


def test_no_chart_where_there_is_nothing_to_show() -> None:
    assert charts_of(PLAN, []) == []
    assert charts_of(PLAN, [run for run in RUNS if run.turn == 0]) == []


def test_a_single_point_is_drawn() -> None:
    plan = a_plan(jobs=1, arms=ARMS[:1], repetitions=1)
    assert {chart.key for chart in charts_of(plan, runs_of(plan))} >= {"distribution", "race", "depth"}


def test_the_live_race_has_its_axes_before_anyone_has_begun_and_follows_the_curves() -> None:
    before = live(PLAN, {})
    assert "done, %" in texts(before)
    running = live(PLAN, {"Sync": [(0.0, 0.0), (1.5, 0.4)]}, SLIM)
    assert drawn(running).get("viewBox") == "0 0 360 280"
    assert "Sync" in texts(running)


def test_the_races_table_tells_when_each_had_done_a_share() -> None:
    table = next(chart for chart in charts_of(PLAN, RUNS) if chart.key == "race").table
    for row in table.rows:
        moments = [float(cell.value) for cell in row.cells]
        assert moments == sorted(moments)


def test_a_run_that_lost_jobs_never_reaches_the_whole() -> None:
    runs: list[ArmTurn] = []
    for run in RUNS:
        curve = [(at, share * 0.8) for at, share in run.figures.done_curve]
        runs.append(run.model_copy(update={"figures": run.figures.model_copy(update={"done_curve": curve})}))
    race = next(chart for chart in charts_of(PLAN, runs) if chart.key == "race")
    assert {row.cells[-1].value for row in race.table.rows} == {"–"}


def test_latencies_far_apart_are_drawn_by_decades() -> None:
    plan = an_open_plan(arms=ARMS[:2], repetitions=1)
    runs = [
        run.model_copy(
            update={
                "figures": run.figures.model_copy(
                    update={
                        "latency_curve": [
                            (p, ms * (200 if run.arm else 1)) for p, ms in run.figures.latency_curve
                        ]
                    }
                )
            }
        )
        for run in runs_of(plan)
    ]
    words = texts(charts_of(plan, runs)[0].svg)
    assert "ms, each line ten times the one below" in words
    assert {"10", "100", "1000"} <= set(words)


@pytest.mark.parametrize(("top", "step"), [(1, 0.2), (7, 2), (99, 20), (0.03, 0.01), (250, 50), (0, 1)])
def test_steps_are_one_two_or_five_times_a_power_of_ten(top: float, step: float) -> None:
    assert nice_step(top, 5) == pytest.approx(step)


def test_scales_put_values_where_they_belong() -> None:
    even = linear(10, 100, 200)
    assert (even.at(0), even.at(5), even.at(10), even.at(99)) == (100, 150, 200, 200)
    tail = nines(99.9, 0, 300)
    assert (tail.at(0), round(tail.at(90)), round(tail.at(99)), round(tail.at(99.9))) == (0, 100, 200, 300)
    assert [text for _value, text in tail.ticks] == ["0", "50", "90", "99", "99.9"]
    log = by_decades([0.0, 3.0, 700.0], 0, 300)
    assert (round(log.at(1)), round(log.at(10)), round(log.at(1000))) == (0, 100, 300)
    assert rounded_up(101) == 150
    assert upwards([], 0, 1).at(1.0) == 1.0


def test_the_same_method_keeps_its_colour_and_arms_their_dashes() -> None:
    plan: Plan = PLAN
    styles = [style_of(plan, arm) for arm in range(4)]
    assert styles[0].colour == styles[3].colour == "var(--method-celery, #22683a)"
    assert len({style.dash for style in styles}) == len({style.hatch for style in styles}) == 4
