import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from harness.ledger import Death, LabLedger, LedgerVerdict, LogEntry, judge, read_logs, settle
from lab.job import Job
from lab.logs import DATE_FORMAT, LOG_FORMAT, JobLog

BEGIN = 1_800_000_000


def iso(second: float) -> str:
    return datetime.fromtimestamp(BEGIN + second, UTC).isoformat()


def event(status: str, attempt: int = 1, at: float = 0, worker: str = "one@host") -> dict[str, Any]:
    return {"status": status, "attempt": attempt, "worker": worker, "at": iso(at), "recorded_at": iso(at)}


def task(*events: dict[str, Any]) -> dict[str, Any]:
    history = [event("PENDING", 0), *events]
    return {"id": "a", "num": 7, "status": history[-1]["status"], "events": history}


def started(at: int, place: int, worker: str = "one") -> LogEntry:
    return LogEntry(7, "started", BEGIN + at, worker, place)


def finished(at: int, place: int, worker: str = "one") -> LogEntry:
    return LogEntry(7, "finished", BEGIN + at, worker, place)


def death(at: float, worker: str = "one") -> Death:
    return Death(worker, BEGIN + at)


def verdict(
    shown: dict[str, Any] | None, *entries: LogEntry, deaths: tuple[Death, ...] = ()
) -> LedgerVerdict:
    return judge({"a": 7}, {} if shown is None else {"a": shown}, entries, deaths)


def names(found: LedgerVerdict) -> set[str]:
    """The sets that hold the task, "accepted" aside."""
    return {
        name for name in LedgerVerdict.__annotations__ if name != "histories" and "a" in getattr(found, name)
    } - {"accepted"}


DONE = task(event("IN_PROGRESS", at=1), event("DONE", at=2))
DONE_LATER = task(
    event("IN_PROGRESS", at=1), event("IN_PROGRESS", 2, 5, "two@host"), event("DONE", 2, 6, "two@host")
)


def test_a_task_that_ran_once_is_only_accepted() -> None:
    found = verdict(DONE, started(1, 0), finished(2, 1))
    assert names(found) == set()
    assert found.accepted == {"a"}
    assert found.clean


@pytest.mark.parametrize("shown", [None, task(), task(event("IN_PROGRESS")), task(event("RETRYING"))])
def test_a_task_without_a_final_status_is_lost(shown: dict[str, Any] | None) -> None:
    found = verdict(shown)
    assert names(found) == {"lost"}
    assert not found.clean


@pytest.mark.parametrize(
    "after",
    [event("DONE", at=3), event("FAILED", at=3), event("IN_PROGRESS", 2, at=3)],
    ids=lambda e: e["status"],
)
def test_what_follows_the_final_event_in_the_store_duplicates_it(after: dict[str, Any]) -> None:
    found = verdict(task(event("IN_PROGRESS"), event("DONE", at=2), after))
    assert names(found) == {"duplicated"}
    assert not found.clean


def test_a_task_done_in_a_later_attempt_is_recovered() -> None:
    found = verdict(
        DONE_LATER, started(1, 0), started(5, 0, "two"), finished(6, 1, "two"), deaths=(death(2),)
    )
    assert names(found) == {"recovered", "rerun"}
    assert found.clean


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_failed_and_cancelled_are_told_apart_from_lost(status: str) -> None:
    found = verdict(task(event("IN_PROGRESS"), event(status, 4)))
    assert names(found) == {status.lower()}
    assert found.clean


def test_what_the_api_found_to_be_lost_is_lost() -> None:
    assert names(verdict(task(event("FAILED") | {"error": "lost: its message was in no queue"}))) == {"lost"}


def test_the_logs_tell_of_a_second_run_that_the_store_has_swallowed() -> None:
    found = verdict(DONE, started(1, 0), finished(2, 1), started(2, 2), finished(3, 3))
    assert names(found) == {"duplicated", "rerun"}


def test_a_second_run_by_another_worker_counts_from_the_next_second_on() -> None:
    first = started(1, 0), finished(2, 1)
    assert "duplicated" in names(verdict(DONE, *first, started(3, 0, "two"), finished(4, 1, "two")))
    assert names(verdict(DONE, *first, started(2, 0, "two"), finished(3, 1, "two"))) == {
        "overlapped",
        "rerun",
    }


def test_a_run_after_the_final_event_counts_though_the_first_end_was_never_logged() -> None:
    found = verdict(DONE, started(1, 0), started(4, 0, "two"), deaths=(death(2.1),))
    assert names(found) == {"duplicated", "rerun"}


def test_a_rerun_after_an_end_that_died_with_its_worker_is_counted_by_itself() -> None:
    runs = started(1, 0), finished(2, 1), started(5, 0, "two"), finished(6, 1, "two")
    found = verdict(DONE_LATER, *runs, deaths=(death(2.5),))
    assert names(found) == {"recovered", "rerun", "rerun_after_an_unreported_end"}
    assert found.clean


def test_so_is_one_that_began_within_the_second_of_that_end_and_death() -> None:
    runs = started(1, 0), finished(2, 1), started(2, 0, "two"), finished(6, 1, "two")
    assert "rerun_after_an_unreported_end" in names(verdict(DONE_LATER, *runs, deaths=(death(2.5),)))
    for deaths in ((), (death(2.5, "two"),), (death(9),)):
        assert "overlapped" in names(verdict(DONE_LATER, *runs, deaths=deaths))
    assert "overlapped" in names(verdict(DONE, *runs, deaths=(death(2.5),)))


@pytest.mark.parametrize("deaths", [(), (death(1.5, "three"),), (death(0.5),), (death(9),)])
def test_without_the_death_of_that_worker_between_the_two_it_is_a_doubled_effect(
    deaths: tuple[Death, ...],
) -> None:
    runs = started(1, 0), finished(2, 1), started(5, 0, "two"), finished(6, 1, "two")
    assert "duplicated" in names(verdict(DONE_LATER, *runs, deaths=deaths))


def test_an_end_that_the_store_has_is_not_excused_by_the_death_of_its_worker() -> None:
    runs = started(1, 0), finished(2, 1), started(5, 0, "two"), finished(6, 1, "two")
    assert "duplicated" in names(verdict(DONE, *runs, deaths=(death(2.5),)))


def test_runs_side_by_side_are_overlapped() -> None:
    runs = started(1, 0), started(5, 0, "two"), finished(6, 1, "two"), finished(40, 1)
    found = verdict(DONE_LATER, *runs)
    assert names(found) == {"recovered", "rerun", "overlapped"}
    assert found.clean


def test_other_tasks_of_the_log_are_not_mixed_in() -> None:
    other = [
        entry._replace(num=8) for entry in (started(3, 2), finished(4, 3), started(5, 4), finished(6, 5))
    ]
    assert names(verdict(DONE, started(1, 0), finished(2, 1), *other)) == set()


def test_the_verdict_in_words_names_the_first_cases_with_their_histories() -> None:
    text = str(verdict(task(event("IN_PROGRESS")), started(1, 0)))
    assert text.startswith("1 accepted, 1 lost, 0 duplicated, 0 recovered")
    assert "store: IN_PROGRESS attempt 1 one@host" in text
    assert "one.log: started" in text


@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_lines_that_workers_write_are_understood(tmp_path: Path, language: str) -> None:
    log = tmp_path / "one.log"
    handler = logging.FileHandler(log)
    handler.setFormatter(logging.Formatter(LOG_FORMAT, DATE_FORMAT))
    logger = logging.getLogger("Celery Worker celery")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    begin = int(time.time())
    try:
        lines = JobLog("Celery Worker celery", language)
        first, second = (Job(task_id="x", num=num) for num in (7, 71))
        lines.started(first)
        lines.finished(first)
        lines.started(second)
        lines.failed(second, ValueError("Задача 5 завершена успешно"))
        lines.skipped(first)
    finally:
        logger.removeHandler(handler)
        handler.close()
    entries = read_logs([log, log, tmp_path / "missing.log"])
    assert [(e.num, e.kind, e.worker, e.place) for e in entries] == [
        (7, "started", "one", 0),
        (7, "finished", "one", 1),
        (71, "started", "one", 2),
    ]
    assert all(begin <= entry.at <= time.time() for entry in entries)


class FakeLab:
    """Shows tasks as a script has them, one step at each look."""

    def __init__(self, *steps: dict[str, Any] | Exception) -> None:
        self.steps = list(steps)
        self.workers: list[Any] = []

    def task(self, task_id: str) -> dict[str, Any]:
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step

    def submit(self, method: str, timeout: float, count: int, **fields: Any) -> list[dict[str, Any]]:
        return [{"id": "a", "num": 7}]


def test_settling_waits_for_the_end_through_an_absence_of_the_api() -> None:
    lab: Any = FakeLab(task(), requests.ConnectionError(), task(event("IN_PROGRESS")), DONE)
    assert settle(lab, ["a"], timeout=10)["a"]["status"] == "DONE"


def test_settling_ends_when_nothing_changes_any_more() -> None:
    lab: Any = FakeLab(task(), task(event("IN_PROGRESS")))
    begin = time.monotonic()
    assert settle(lab, ["a"], timeout=10, quiet=0.5)["a"]["status"] == "IN_PROGRESS"
    assert 0.5 <= time.monotonic() - begin < 3


def test_settling_never_takes_longer_than_it_may() -> None:
    lab: Any = FakeLab(requests.ConnectionError())
    begin = time.monotonic()
    assert settle(lab, ["a"], timeout=0.5) == {}
    assert time.monotonic() - begin < 3


def test_a_ledger_brings_its_books_and_both_witnesses_together(tmp_path: Path) -> None:
    lab: Any = FakeLab(DONE)
    log = tmp_path / "one.log"
    log.write_text(
        "[2027-01-15 08:00:01] Celery Worker celery: Начало обработки задачи 7\n"
        "[2027-01-15 08:00:02] Celery Worker celery: Задача 7 завершена успешно\n"
        "[2027-01-15 08:00:02] Celery Worker celery: Начало обработки задачи 7\n"
    )
    lab.workers.append(SimpleNamespace(log=log))
    ledger = LabLedger(lab)
    assert ledger.submit("celery", 0.1) == ["a"]
    ledger.died("one")
    found = ledger.settle(5)
    assert ledger.ids == ["a"]
    assert found.duplicated == {"a"}
