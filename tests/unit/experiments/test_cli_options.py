import json
from pathlib import Path

import pytest

from experiments.cli_options import (
    DEFAULT_JOBS,
    OptionError,
    concurrency_of,
    option_of,
    parser,
    plan_of,
    report_files,
)
from experiments.plan import Arm, Burst, Exponential, Fixed, OpenLoop, Plan, Reports, Uniform, Values, Work
from lab.delivery import Delivery


def plan(*words: str) -> Plan:
    return plan_of(parser().parse_args(["plan", *words]))


def refusal(*words: str) -> str:
    with pytest.raises(OptionError) as caught:
        plan(*words)
    return str(caught.value)


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
        "--no-equalise", "--no-warm-up",
    )  # fmt: skip
    assert found == Plan(
        title="A day",
        arms=[Arm(method="celery", delivery=Delivery.NAIVE), Arm(method="sync")],
        seconds=30,
        arrival=OpenLoop(law="open", rate=50, spacing="even"),
        work=Work.FAILING,
        p=0.2,
        reports=Reports.IN_PATH,
        duration=Exponential(law="exponential", mean=0.02),
        payload_bytes=100,
        repetitions=7,
        seed=3,
        deadline=60,
        equalise=False,
        warm_up=False,
    )
    set_here = {name for name, value in found if value != getattr(plan(), name)}
    assert set_here == set(Plan.model_fields)


def test_a_duration_is_fixed_or_drawn(tmp_path: Path) -> None:
    file = tmp_path / "durations.txt"
    file.write_text("0.01\n0.02 0.5\n")
    assert plan("--duration", "0.5").duration == Fixed(seconds=0.5)
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
        ("--jobs many", "--jobs", "int"),
        ("--arm kafka", "--arm", "'celery', 'rabbitmq' or 'sync'"),
        ("--arm celery:fast", "--arm", "'safe' or 'naive'"),
        ("--rate 99999", "--rate", "5000"),
        ("--payload -1", "--payload", "greater than or equal to 0"),
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
        ("--frob", "--frob", "unrecognized"),
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
    assert refusal("--plan", str(file)).startswith("--plan: ")


def test_each_field_of_a_plan_leads_to_its_option() -> None:
    assert option_of("payload_bytes") == "--payload"
    assert option_of("arrival.open.rate") == "--rate"
    assert option_of("arrival.open.spacing") == option_of("arrival.spacing") == "--spacing"
    assert option_of("arms.0.method") == "--arm"
    known = json.dumps([action.option_strings for group in parser()._actions for action in _all(group)])
    for field in Plan.model_fields:
        assert f'"{option_of(field)}"' in known


def test_a_report_is_of_a_kind_that_there_is(tmp_path: Path) -> None:
    assert report_files([f"{tmp_path}/a.html", f"{tmp_path}/b.csv"]) == [
        (tmp_path / "a.html", "html"),
        (tmp_path / "b.csv", "csv"),
    ]
    for name in ("a.pdf", "a", f"{tmp_path}/none/a.md"):
        with pytest.raises(OptionError, match="--report"):
            report_files([name])


@pytest.mark.parametrize("number", ["0", "65"])
def test_a_worker_runs_at_least_one_job_at_once(number: str) -> None:
    with pytest.raises(OptionError, match="--concurrency takes a whole number from 1 to 64"):
        concurrency_of(parser().parse_args(["run", "--concurrency", number]))


def _all(action: object) -> list:  # type: ignore[type-arg]
    """The actions of a command's parser."""
    choices = getattr(action, "choices", None) or {}
    return [one for sub in choices.values() for one in sub._actions] if isinstance(choices, dict) else []
