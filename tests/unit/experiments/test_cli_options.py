from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from experiments.cli import cli
from experiments.cli import plan as plan_command
from experiments.cli_options import option_of, report_file
from experiments.plan import (
    DEFAULT_JOBS,
    Arm,
    Burst,
    ExponentialDuration,
    FixedDuration,
    OpenLoop,
    Plan,
    Reports,
    Uniform,
    Values,
    Workload,
)
from lab.delivery import Delivery


def plan(*words: str) -> Plan:
    result = CliRunner().invoke(cli, ["plan", *words])
    assert result.exit_code == 0, result.output
    return Plan.model_validate_json(result.stdout)


def refusal(*words: str) -> str:
    """Without the lines on how it is used."""
    result = CliRunner().invoke(cli, ["plan", *words])
    assert result.exit_code == 2
    return result.stderr.partition("\n\n")[2].removeprefix("Error: ").removesuffix("\n")


def test_without_options_it_compares_all_three_methods() -> None:
    found = plan()
    assert found == Plan(
        arms=[Arm(method="celery"), Arm(method="rabbitmq"), Arm(method="sync")], jobs=DEFAULT_JOBS
    )


def test_all_of_a_plan_has_an_option() -> None:
    found = plan(
        "--title", "A day", "--arm", "celery:naive", "--arm", "sync", "--seconds", "30", "--rate", "50",
        "--spacing", "even", "--reports", "in_path", "--work", "failing", "--p", "0.2",
        "--duration", "exponential:0.02", "--payload", "100", "--repetitions", "7", "--seed", "3", "--deadline", "60",
        "--no-equalise", "--no-warm-up", "--margin", "0.1",
    )  # fmt: skip
    assert found == Plan(
        title="A day",
        arms=[Arm(method="celery", delivery=Delivery.NAIVE), Arm(method="sync")],
        seconds=30,
        arrival=OpenLoop(law="open", rate=50, spacing="even"),
        work=Workload.FAILING,
        p=0.2,
        reports=Reports.IN_PATH,
        duration=ExponentialDuration(law="exponential", mean=0.02),
        payload_bytes=100,
        repetitions=7,
        seed=3,
        deadline=60,
        equalise=False,
        warm_up=False,
        margin=0.1,
    )
    set_here = {name for name, value in found if value != getattr(plan(), name)}
    assert set_here == set(Plan.model_fields)


def test_a_duration_is_fixed_or_drawn(tmp_path: Path) -> None:
    file = tmp_path / "durations.txt"
    file.write_text("0.01\n0.02 0.5\n")
    assert plan("--duration", "0.5").duration == FixedDuration(seconds=0.5)
    assert plan("--duration", "uniform:0.01-5e-2").duration == Uniform(law="uniform", low=0.01, high=0.05)
    assert plan("--duration", f"file:{file}").duration == Values(law="values", values=[0.01, 0.02, 0.5])


def test_other_options_are_put_over_a_plans_file(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    kept = plan("--seconds", "5", "--rate", "10", "--spacing", "even", "--no-equalise", "--seed", "9")
    file.write_text(kept.model_dump_json())
    assert plan("--plan", str(file)) == kept
    changed = plan("--plan", str(file), "--rate", "20", "--equalise", "--jobs", "7", "--arm", "sync")
    assert changed.arrival == OpenLoop(law="open", rate=20, spacing="even")
    assert (changed.jobs, changed.seconds, changed.seed, changed.equalise) == (7, None, 9, True)
    assert changed.arms == [Arm(method="sync")]
    assert plan("--plan", str(file), "--burst", "--jobs", "7").arrival == Burst()


def test_the_plan_that_is_printed_can_be_read_again(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    first = plan("--duration", "uniform:0-1", "--work", "cpu")
    file.write_text(first.model_dump_json(indent=2))
    assert plan("--plan", str(file)) == first


@pytest.mark.parametrize(
    ("words", "option", "bound"),
    [
        ("--jobs 1000000", "--jobs", "100000"),
        ("--jobs many", "--jobs", "integer"),
        ("--arm kafka", "--arm", "'celery', 'rabbitmq' or 'sync'"),
        ("--arm celery:fast", "--arm", "'safe' or 'naive'"),
        ("--rate 99999", "--rate", "5000"),
        ("--rate nan", "--rate", "finite"),
        ("--payload -1", "--payload", "0<=x<=1000000"),
        ("--work tea", "--work", "noop"),
        ("--work failing --p 2", "--p", "1"),
        ("--repetitions 51", "--repetitions", "50"),
        ("--duration x", "--duration", "uniform:LOW-HIGH"),
        ("--duration 61", "--duration", "60"),
        ("--duration uniform:2-1", "--duration", "low is greater than high"),
        ("--duration file:/nowhere", "--duration", "/nowhere"),
        ("--spacing even", "--spacing", "--rate"),
        ("--burst --rate 3", "--burst", "--rate"),
        ("--seconds 3", "--seconds", "open loop"),
        ("--jobs 3 --seconds 3 --rate 3", "--jobs", "either"),
        ("--plan /nowhere.json", "--plan", "/nowhere.json"),
        ("--frob", "--frob", "No such option"),
    ],
)
def test_what_cannot_be_used_names_its_option_and_its_bound(words: str, option: str, bound: str) -> None:
    said = refusal(*words.split())
    assert option in said
    assert bound in said
    assert "\n" not in said


@pytest.mark.parametrize("text", ["[]", "{", '{"jobs": 1, "tea": 2}'])
def test_a_file_that_holds_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)
    assert "--plan" in refusal("--plan", str(file))


def test_each_field_of_a_plan_leads_to_its_option() -> None:
    assert option_of("payload_bytes") == "--payload"
    assert option_of("arrival.open.rate") == "--rate"
    assert option_of("arrival.open.spacing") == option_of("arrival.spacing") == "--spacing"
    assert option_of("arms.0.method") == "--arm"
    known = {name for option in plan_command.params for name in (*option.opts, *option.secondary_opts)}
    assert {option_of(field) for field in Plan.model_fields} <= known


def test_a_report_is_of_a_kind_that_there_is(tmp_path: Path) -> None:
    assert report_file(f"{tmp_path}/a.html") == (tmp_path / "a.html", "html")
    for name in ("a.pdf", "a", f"{tmp_path}/none/a.md"):
        with pytest.raises(click.BadParameter):
            report_file(name)
