"""Plans, cards and the command line of the fault lab."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.side.rows import FEATURES
from faults import cli
from faults.cards import CARDS
from faults.document import ARMS, ArmFigures, FaultDocument, FaultPlan, FaultStatus, new_document
from faults.strikes import STRIKES

NAMES = [
    "deploy",
    "worker-killed",
    "pool-process-killed",
    "worker-frozen",
    "broker-restarted",
    "broker-killed",
    "broker-alarm",
    "connection-cut",
    "queue-deleted",
    "api-away",
    "database-away",
    "killer-job",
    "unreadable-message",
    "long-job",
    "power-loss",
]


def test_there_is_a_card_and_a_strike_for_each_everyday_name() -> None:
    assert list(CARDS) == list(STRIKES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_card_names_an_issue_and_rows_that_exist(name: str) -> None:
    card = CARDS[name]
    assert re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", card.issue)
    assert set(card.decided_by) <= FEATURES.keys()
    assert card.strength.least <= card.strength.default <= card.strength.most


def test_what_a_plan_leaves_out_is_as_the_card_says() -> None:
    plan = FaultPlan.model_validate({"card": "deploy", "jobs": None, "seed": 3})
    card = CARDS["deploy"]
    assert (plan.jobs, plan.seconds, plan.strength) == (card.jobs, card.seconds, card.strength.default)
    assert (plan.arms, plan.seed) == (ARMS, 3)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"card": "flood"}, "card: takes one of deploy, "),
        ({"card": "deploy", "strength": 61}, "strength: deploy takes 0 to 60"),
        ({"card": "deploy", "jobs": 3}, "greater than or equal to 4"),
        ({"card": "deploy", "arms": ["sync:safe"]}, "should match pattern"),
        ({"card": "deploy", "arms": ["celery:safe", "celery:safe"]}, "takes each contender once"),
        (
            {"card": "deploy", "prediction": {"celery:safe": {"lost": -1, "doubled": 0}}},
            "greater than or equal to 0",
        ),
    ],
)
def test_a_plan_out_of_bounds_is_refused(asked: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        FaultPlan.model_validate(asked)


def document(**figures: int) -> FaultDocument:
    made = new_document(FaultPlan(card="deploy", arms=("celery:safe",)), "a1", "2026-01-01T00:00:00.000000Z")
    made.status = FaultStatus.DONE
    made.arms = {"celery:safe": ArmFigures(**figures)}
    return made


def test_a_document_is_kept_whole_and_shown_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_VAR", str(tmp_path))
    document(accepted=20, lost=4).write(cli.kept_folder() / "a1.json")
    assert cli.main(["show", "a", "--json"]) == 0
    assert FaultDocument.model_validate_json(capsys.readouterr().out).arms["celery:safe"].lost == 4
    assert cli.main(["show", "a1"]) == 0
    assert "Celery, safe" in capsys.readouterr().out
    assert cli.main(["show", "b"]) == cli.MISUSED


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("lost>0", 1),
        ("lost>4", 0),
        ("celery:safe.lost>=4", 1),
        ("doubled == 0", 1),
        ("rabbitmq:safe.lost>0", 0),
    ],
)
def test_a_condition_that_is_met_sets_the_exit_status(
    condition: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "play", lambda *_: document(accepted=20, lost=4))
    assert cli.main(["run", "deploy", "--fail-if", condition]) == status


@pytest.mark.parametrize(
    "options", [["run", "flood"], ["run", "deploy", "--fail-if", "x"], ["run", "deploy", "--arm", "a"]]
)
def test_options_that_cannot_be_used_are_told_and_exit_with_two(options: list[str]) -> None:
    assert cli.main(options) == cli.MISUSED


def test_a_cancelled_run_exits_as_after_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = document()
    ended.status = FaultStatus.CANCELLED
    monkeypatch.setattr(cli, "play", lambda *_: ended)
    assert cli.main(["run", "deploy"]) == cli.INTERRUPTED
