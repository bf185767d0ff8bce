"""Reports on runs, and the matrix of what was run."""

import csv
import io
import re
from pathlib import Path

import pytest

from faults import cli
from faults.cards import CARDS
from faults.document import (
    ARMS,
    ArmFigures,
    Fate,
    FaultDocument,
    FaultPlan,
    FaultStatus,
    JobMark,
    Said,
    new_document,
)
from faults.matrix import matrix_of, missing, read_kept, to_markdown
from faults.report import FORMS, rendered


def document(card: str = "worker-killed", created: str = "2026-01-01", **figures: int) -> FaultDocument:
    made = new_document(
        FaultPlan(card=card, arms=ARMS[:2], prediction={ARMS[0]: {"lost": 2, "doubled": 1}}), created, created
    )
    made.status, made.agrees = FaultStatus.DONE, True
    made.phases = {"baseline": (0.0, 4.0), "fault": (4.0, 5.0), "recovery": (5.0, 20.0)}
    made.arms = {arm: ArmFigures(accepted=2, **figures) for arm in made.arms}
    made.marks = {
        ARMS[0]: [
            JobMark(job=1, status=Fate.DONE, at=1.5, runs=[(1.0, 1.5, "celery-naive-1")]),
            JobMark(
                job=2,
                status=Fate.LOST,
                at=3.0,
                runs=[(3.0, None, "celery-naive-2")],
                where="nowhere | at all",
            ),
        ]
    }
    made.struck = [Said(msgid="SIGKILL to %(name)s", values={"name": "<celery-naive-2>"})]
    return made


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_the_report_tells_what_was_lost_and_what_was_predicted(form: str) -> None:
    text = rendered(document(lost=1), form)
    assert "celery-naive-2" in text
    assert "lost" in text
    if form != "csv":
        assert "2" in text.partition("predict")[2]


def test_the_page_needs_nothing_else_and_escapes_what_it_shows() -> None:
    text = rendered(document(), "html")
    addresses = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert addresses == {CARDS["worker-killed"].issue_url} | {a for a in addresses if "w3.org" in a}
    assert "<script" not in text
    assert "SIGKILL to &lt;celery-naive-2&gt;" in text


def test_the_table_of_jobs_has_a_line_for_each() -> None:
    lines = list(csv.DictReader(io.StringIO(rendered(document(), "csv"))))
    assert [(line["job"], line["status"], line["last_end_s"]) for line in lines] == [
        ("1", "done", "1.5"),
        ("2", "lost", ""),
    ]


def test_a_cell_is_the_newest_run_that_ended_and_what_never_ran_is_empty() -> None:
    failed = document(created="2026-03-01", lost=2)
    failed.status = FaultStatus.FAILED
    matrix = matrix_of([document(created="2026-02-01", lost=1), document(lost=2), failed])
    assert matrix["worker-killed"][ARMS[0]].arms[ARMS[0]].lost == 1
    assert missing(matrix)["worker-killed"] == list(ARMS[2:])
    assert missing(matrix)["deploy"] == list(ARMS)
    (row,) = [
        line
        for line in to_markdown(matrix, "make faults").splitlines()
        if line.startswith("| [Worker killed")
    ]
    assert row.count("**1 lost**") == 2
    assert row.count("|  |") == 1


def test_what_was_kept_is_shown_without_running_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_VAR", str(tmp_path))
    document(lost=1).write(cli.kept_folder() / "a.json")
    (cli.kept_folder() / "b.json").write_text("{")
    assert len(read_kept(cli.kept_folder())) == 1
    assert cli.main(["matrix", "--show", "--markdown", str(tmp_path / "faults.md")]) == 0
    assert re.search(r"worker-killed +1 lost +1 lost", capsys.readouterr().out)
    text = (tmp_path / "faults.md").read_text()
    assert all(f"## {name}" in text for name in CARDS)
