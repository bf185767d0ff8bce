"""The judge: what the ledger, the store and the broker say of a run's jobs."""

import json
import os
from pathlib import Path

import pytest

from faults.document import Fate, JobMark
from faults.judge import Found, Ledger, disagreements_of, figures_of, final_marks, marks_of
from lab.jobs.context import Context
from lab.jobs.kinds import process_task
from lab.places import Places


def line(num: int, event: str, mono: float, pid: int = 7) -> dict[str, float | str]:
    return {"num": num, "attempt": 1, "event": event, "pid": pid, "mono": mono, "at": 0.0}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Job 1 was done once, job 2 twice, job 3 in its second run, job 4 was begun, job 5 was not."""
    made = Ledger(tmp_path)
    for num, event, mono, pid in (
        (1, "begin", 101.0, 7), (1, "end", 102.0, 7),
        (2, "begin", 102.0, 7), (2, "begin", 103.0, 8), (2, "end", 103.5, 7), (2, "end", 104.0, 8),
        (3, "begin", 104.0, 7), (3, "begin", 106.0, 8), (3, "end", 107.0, 8),
        (4, "begin", 105.0, 7),
    ):  # fmt: skip
        made.enter("one", line(num, event, mono, pid))
    return made


def marks(ledger: Ledger) -> list[JobMark]:
    return marks_of(range(1, 6), ledger, 100.0, 110.0)


def task(status: str, published: str | None = "then") -> dict[str, object]:
    return {"status": status, "published_at": published}


def test_while_a_run_goes_on_nothing_is_called_lost(ledger: Ledger) -> None:
    fates = [mark.status for mark in marks(ledger)]
    assert fates == [Fate.DONE, Fate.DOUBLED, Fate.DONE, Fate.HELD, Fate.WAITING]
    assert marks(ledger)[1].runs == [(2.0, 3.5, "one"), (3.0, 4.0, "one")]
    assert marks(ledger)[3].runs == [(5.0, None, "one")]


@pytest.mark.parametrize(
    ("found", "four", "five"),
    [
        (Found({4: task("IN_PROGRESS"), 5: task("PENDING")}), Fate.LOST, Fate.LOST),
        (Found({4: task("IN_PROGRESS"), 5: task("PENDING", None)}), Fate.LOST, Fate.WAITING),
        (Found({4: task("IN_PROGRESS"), 5: task("PENDING")}, frozenset({4, 5})), Fate.WAITING, Fate.WAITING),
        (Found({4: task("FAILED"), 5: task("FAILED", None)}, letters=frozenset({4})), Fate.HELD, Fate.LOST),
    ],
)
def test_a_job_without_an_end_is_lost_unless_its_message_is_somewhere(
    ledger: Ledger, found: Found, four: Fate, five: Fate
) -> None:
    assert [mark.status for mark in final_marks(marks(ledger), found, {})][3:] == [four, five]


def test_the_counters_and_times_are_those_of_the_ledger(ledger: Ledger) -> None:
    final = final_marks(marks(ledger), Found({4: task("FAILED"), 5: task("FAILED")}), {})
    figures = figures_of(final, 5, (2.5, 6.5))
    counted = (figures.accepted, figures.done_once, figures.lost, figures.doubled, figures.recovered)
    assert counted == (5, 2, 2, 1, 1)
    assert figures.first_success_s == 0.5
    assert figures.longest_gap_s == 3.0
    # One end in the 1.5 s from the first begin to the fault, one in the half second after it.
    assert figures.recovery_ratio == 3.0


def test_store_and_broker_that_say_the_same_agree(ledger: Ledger) -> None:
    tasks = {num: task("DONE") for num in (1, 2, 3)} | {4: task("IN_PROGRESS"), 5: task("FAILED")}
    assert disagreements_of("celery:safe", marks(ledger), Found(tasks)) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            Found({1: task("IN_PROGRESS")}),
            "Celery, safe: ran to the end by the ledger, and the store does not say DONE: #1 (IN_PROGRESS)",
        ),
        (Found({4: task("DONE")}), "DONE in the store, without an end in the ledger: #4"),
        (Found({}, frozenset({1, 2})), "their messages are still queued: #1, #2"),
        (Found({}, strangers=3), "messages in its queues that are none of this run: 3"),
    ],
)
def test_what_does_not_agree_is_said(ledger: Ledger, found: Found, said: str) -> None:
    (sentence,) = disagreements_of("celery:safe", marks(ledger), found)
    assert said in sentence.text()
    assert sentence.arm == "celery:safe"


def test_a_job_writes_its_own_begin_and_end_and_only_where_a_ledger_is_set(tmp_path: Path) -> None:
    file = tmp_path / "celery-safe-1.jsonl"
    process_task(Context(5, attempt=2, places=Places(ledger=file)), 0.0)
    process_task(Context(6), 0.0)
    told = [json.loads(text) for text in file.read_text().splitlines()]
    assert [(one["num"], one["attempt"], one["event"]) for one in told] == [(5, 2, "begin"), (5, 2, "end")]
    read = Ledger(tmp_path)
    read.look()
    read.look()
    (run,) = read.runs[5]
    assert (run.worker, run.pid) == ("celery-safe-1", os.getpid())
    assert run.end is not None


def test_a_line_that_is_still_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    text = json.dumps(line(1, "begin", 1.0))
    (tmp_path / "one.jsonl").write_text(text)
    ledger = Ledger(tmp_path)
    ledger.look()
    assert not ledger.runs
    (tmp_path / "one.jsonl").write_text(f"{text}\n")
    ledger.look()
    assert list(ledger.runs) == [1]
