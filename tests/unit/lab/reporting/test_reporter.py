import errno
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lab.job import Job
from lab.reporting import job_report
from lab.reporting.reporter import Reporter, ReportFailed
from lab.reporting.spool import Spool
from lab.status import TaskStatus
from tests.callback_api import Api

JOB = Job(task_id="x", num=1, params={"timeout": 1.0}, token="t")


def test_updates_carry_the_token_over_one_kept_connection(api: Api) -> None:
    report = Reporter(api.url).for_job(JOB, "worker@host", 2)
    report(TaskStatus.IN_PROGRESS, progress=0.0)
    report(TaskStatus.DONE, result={"a": 1})
    assert [(u["status"], u["token"], u["worker"], u["attempt"]) for u in api.updates] == [
        ("IN_PROGRESS", "t", "worker@host", 2),
        ("DONE", "t", "worker@host", 2),
    ]
    assert api.updates[1]["result"] == {"a": 1}
    assert len(api.connections) == 1


def test_the_answer_tells_whether_to_run(api: Api) -> None:
    api.status = "CANCELLED"
    assert not Reporter(api.url).for_job(JOB, "w", 1)(TaskStatus.IN_PROGRESS, progress=0.0).run


def test_an_api_that_stumbles_is_asked_again(api: Api) -> None:
    api.answers = [503, 500]
    Reporter(api.url).for_job(JOB, "w", 1)(TaskStatus.DONE)
    assert [u["status"] for u in api.updates] == ["DONE"]


def test_progress_goes_in_the_background(api: Api) -> None:
    Reporter(api.url).for_job(JOB, "w", 1)(TaskStatus.IN_PROGRESS, progress=0.5)
    assert api.got_progress.wait(5)


def test_a_job_runs_unasked_when_the_api_is_away() -> None:
    reporter = Reporter("http://127.0.0.1:1/", ask_seconds=0.3)
    assert reporter.for_job(JOB, "w", 1)(TaskStatus.IN_PROGRESS, progress=0.0).run


def test_a_final_status_that_nobody_takes_raises() -> None:
    reporter = Reporter("http://127.0.0.1:1/", final_seconds=0.3)
    with pytest.raises(ReportFailed, match="there is no spool"):
        reporter.for_job(JOB, "w", 1)(TaskStatus.DONE)


def test_updates_that_come_while_a_post_is_under_way_share_the_next_one(api: Api) -> None:
    api.slow = 0.05
    reporter = Reporter(api.url)
    with ThreadPoolExecutor(40) as pool:
        list(pool.map(lambda n: reporter.for_job(JOB, f"w{n}", 1)(TaskStatus.DONE), range(40)))
    assert len(api.updates) == 40
    assert api.posts < 12


def test_a_final_status_is_spooled_while_the_api_is_away_and_sent_by_the_next_worker(
    api: Api, tmp_path: Path
) -> None:
    spool = Spool(tmp_path)
    Reporter("http://127.0.0.1:1/", spool, final_seconds=0.1).for_job(JOB, "w", 1)(TaskStatus.DONE, result=7)
    assert api.updates == []
    spool.close()
    Reporter(api.url, Spool(tmp_path)).start()
    _wait_until(lambda: len(api.updates) == 1)
    assert (api.updates[0]["status"], api.updates[0]["result"], api.updates[0]["token"]) == ("DONE", 7, "t")
    _wait_until(lambda: list(tmp_path.iterdir()) == [])


def test_a_spooled_status_is_sent_when_the_api_returns(api: Api, tmp_path: Path) -> None:
    api.answers = [503] * 6
    Reporter(api.url, Spool(tmp_path), final_seconds=0.1).for_job(JOB, "w", 1)(TaskStatus.DONE)
    _wait_until(lambda: [update["status"] for update in api.updates] == ["DONE"])


def test_while_the_api_is_known_to_be_away_nobody_waits_for_it(tmp_path: Path) -> None:
    reporter = Reporter("http://127.0.0.1:1/", Spool(tmp_path), ask_seconds=0.3, final_seconds=0.3)
    reporter.for_job(JOB, "w", 1)(TaskStatus.DONE)
    begin = time.monotonic()
    for _ in range(50):
        reporter.for_job(JOB, "w", 1)(TaskStatus.DONE)
    assert time.monotonic() - begin < 0.5 + 50 * 0.05


def test_a_message_that_came_before_waits_for_the_answer(api: Api) -> None:
    api.answers, api.status = [503] * 4, "DONE"
    report = Reporter(api.url, ask_seconds=0.01).for_job(JOB, "w", 2, redelivered=True)
    assert not report(TaskStatus.IN_PROGRESS, progress=0.0).run


def test_one_update_that_the_api_never_takes_holds_up_no_other(api: Api) -> None:
    api.slow = 0.05
    reporter = Reporter(api.url)
    reporter.for_job(JOB, "first", 1)(TaskStatus.DONE)
    api.answers = [413]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: reporter.for_job(JOB, f"w{n}", 1)(TaskStatus.DONE), range(2)))
    assert len(api.updates) >= 2


def test_a_cancelled_task_hears_of_it_with_its_next_report(api: Api) -> None:
    reporter = Reporter(api.url)
    report = reporter.for_job(JOB, "w", 1)
    assert not report(TaskStatus.IN_PROGRESS, progress=0.2).cancel
    reporter.cancel("x")
    assert report(TaskStatus.IN_PROGRESS, progress=0.4).cancel


STAMPED = Job(task_id="s", num=1, params={"timeout": 1.0}, token="t", beside=True)


def stamped(reporter: Reporter, count: int, first: int = 0) -> None:
    """Runs `count` jobs, whose attempts tell them apart."""
    for n in range(first, first + count):
        report = reporter.for_job(STAMPED, "w", n + 1)
        report(TaskStatus.IN_PROGRESS, progress=0.0)
        report(TaskStatus.DONE, progress=1.0)


def attempts(api: Api) -> list[int]:
    return [update["attempt"] for update in api.updates]


def test_stamps_are_gathered_until_none_has_come_for_a_moment_and_sent_together(api: Api) -> None:
    reporter = Reporter(api.url)
    begin = time.monotonic()
    stamped(reporter, 300)
    assert api.posts == 0
    _wait_until(lambda: len(api.updates) == 300)
    assert time.monotonic() - begin > 0.2
    assert api.posts == 1
    assert attempts(api) == list(range(1, 301))
    assert {update["status"] for update in api.updates} == {"DONE"}
    assert all(update["began_at"] <= update["at"] for update in api.updates)


def test_stamps_that_keep_coming_are_sent_after_two_seconds_all_the_same(api: Api) -> None:
    reporter = Reporter(api.url)
    begin, sent = time.monotonic(), 0
    while not api.updates and time.monotonic() - begin < 10:
        stamped(reporter, 1, sent)
        sent += 1
        time.sleep(0.05)
    assert 1.5 < time.monotonic() - begin < 5


def test_more_stamps_than_a_post_carries_follow_at_once(api: Api) -> None:
    reporter = Reporter(api.url)
    stamped(reporter, 2500)
    assert reporter.flush(10)
    assert attempts(api) == list(range(1, 2501))
    assert api.posts == 3


def test_a_flush_sends_what_waits_without_waiting_for_more(api: Api) -> None:
    reporter = Reporter(api.url)
    stamped(reporter, 3)
    begin = time.monotonic()
    assert reporter.flush(10)
    assert time.monotonic() - begin < 0.9
    assert attempts(api) == [1, 2, 3]
    assert reporter.flush(0.1)


def test_a_flush_waits_for_a_post_that_is_under_way(api: Api) -> None:
    api.slow = 0.5
    reporter = Reporter(api.url)
    stamped(reporter, 1)
    assert reporter.flush(10)
    assert attempts(api) == [1]


def test_a_flush_gives_up_when_its_time_is_over() -> None:
    reporter = Reporter("http://127.0.0.1:1/")
    stamped(reporter, 1)
    assert not reporter.flush(0.3)


def test_stamps_are_kept_in_order_while_the_api_is_away(api: Api) -> None:
    api.answers = [503] * 3
    reporter = Reporter(api.url)
    stamped(reporter, 5)
    reporter.flush(0.1)
    stamped(reporter, 5, first=5)
    assert reporter.flush(10)
    assert attempts(api) == list(range(1, 11))


def test_of_more_stamps_than_are_kept_the_newest_stay(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert job_report.MOST_STAMPS == 200_000
    monkeypatch.setattr(job_report, "MOST_STAMPS", 100)
    reporter = Reporter(api.url)
    stamped(reporter, 150)
    assert reporter.flush(10)
    assert attempts(api) == list(range(51, 151))
    assert "stamps are dropped" in caplog.text


def test_stamps_that_were_taken_are_not_sent_again_because_the_spool_fails(api: Api, tmp_path: Path) -> None:
    class Broken(Spool):
        def adopt(self, *_: Any) -> int:
            raise OSError("the disk is gone")

    reporter = Reporter(api.url, Broken(tmp_path))
    stamped(reporter, 3)
    assert reporter.flush(10)
    time.sleep(1.0)
    assert attempts(api) == [1, 2, 3]


def test_stamps_go_along_with_what_others_wait_for(api: Api) -> None:
    reporter = Reporter(api.url)
    stamped(reporter, 2)
    reporter.for_job(JOB, "w", 9)(TaskStatus.DONE)
    assert attempts(api) == [9]
    assert reporter.flush(10)
    assert attempts(api) == [9, 1, 2]


def test_a_stamped_task_that_was_cancelled_stops(api: Api) -> None:
    reporter = Reporter(api.url)
    reporter.cancel("s")
    assert reporter.for_job(STAMPED, "w", 1)(TaskStatus.IN_PROGRESS, progress=0.0).cancel


def _wait_until(condition: Any, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class FullSpool(Spool):
    """A spool on a full disk."""

    def put(self, lines: Sequence[bytes]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_status_that_a_full_disk_does_not_take_waits_for_the_api(api: Api, tmp_path: Path) -> None:
    api.answers = [503] * 5
    reporter = Reporter(api.url, FullSpool(tmp_path), final_seconds=0.1)
    reporter.for_job(JOB, "w", 1)(TaskStatus.DONE)
    assert [update["status"] for update in api.updates] == ["DONE"]
