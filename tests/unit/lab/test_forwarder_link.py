"""One connection to a forwarder that was really started, for many reports at once."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import remote_reporter
from lab.forwarder import Wish
from lab.forwarder_link import ForwarderLink
from lab.job import Job
from lab.lines import Line, Lines
from lab.reporter import ReportFailed
from lab.status import TaskStatus, Verdict
from tests.callback_api import Api

Forward = Callable[[str], str]


def line(name: str, status: TaskStatus = TaskStatus.DONE) -> Line:
    return Lines(Job(task_id=name, num=1), "worker@host", 1, False).line(status)


def told(link: ForwarderLink, wish: Wish, *lines: Line) -> dict[str, Verdict | ReportFailed | None]:
    found: dict[str, Verdict | ReportFailed | None] = {}
    for one in lines:
        link.send(wish, one, lambda answer, name=one.task_id: found.setdefault(name, answer))  # type: ignore[misc]
    link.drain(10)
    return found


def test_many_reports_share_a_post_and_each_gets_its_answer(forward: Forward, api: Api) -> None:
    link = ForwarderLink(forward(api.url))
    found = told(link, Wish.SETTLE, *(line(str(n)) for n in range(40)))
    assert found == {str(n): Verdict(task_id=str(n)) for n in range(40)}
    assert (len(api.updates), api.posts) == (40, 1)
    link.close()


def test_who_asks_hears_that_its_job_has_ended(forward: Forward, api: Api) -> None:
    link = ForwarderLink(forward(api.url))
    api.status = "DONE"
    answer = told(link, Wish.ASK, line("x", TaskStatus.IN_PROGRESS))["x"]
    assert isinstance(answer, Verdict)
    assert not answer.run
    link.close()


def test_only_the_first_of_a_flush_has_to_see_to_it(forward: Forward, api: Api) -> None:
    link = ForwarderLink(forward(api.url))
    assert [link.send(Wish.SETTLE, line(name), lambda _: None) for name in "ab"] == [True, False]
    link.drain(10)
    assert link.send(Wish.SETTLE, line("c"), lambda _: None)
    link.close()


def test_a_long_report_and_a_long_answer_go_through(forward: Forward, api: Api) -> None:
    api.error = "x" * 700_000
    text = "y" * 700_000
    long = Lines(Job(task_id="long", num=1), "w", 1, False).line(TaskStatus.DONE, result=text)
    link = ForwarderLink(forward(api.url))
    found = told(link, Wish.SETTLE, long, line("short"))
    assert api.updates[0]["result"] == text
    answer = found["long"]
    assert isinstance(answer, Verdict)
    assert answer.error == api.error
    link.close()


def test_when_the_forwarder_ends_all_that_wait_hear_that_nothing_is_known(forward: Forward, api: Api) -> None:
    gone: list[bool] = []
    api.slow = 5
    link = ForwarderLink(forward(api.url), lambda: gone.append(link.fileno() >= 0))
    found: list[object] = []
    for name in "ab":
        link.send(Wish.ASK, line(name), found.append)
    link.flush()
    time.sleep(0.2)
    remote_reporter._started[-1].kill()
    link.drain(10)
    assert (found, gone, link.alive, len(link)) == ([None, None], [True], False, 0)
    link.send(Wish.ASK, line("c"), found.append)
    link.flush()
    assert found == [None] * 3


def test_while_the_api_is_away_ends_lie_in_the_spool(forward: Forward, tmp_path: Path) -> None:
    link = ForwarderLink(forward("http://127.0.0.1:1/"))
    assert told(link, Wish.SETTLE, line("a"), line("b")) == {n: Verdict(task_id=n) for n in "ab"}
    (file,) = (tmp_path / "spool").iterdir()
    assert [json.loads(text)["task_id"] for text in file.read_text().splitlines()] == ["a", "b"]
    link.close()


def test_ends_that_nobody_takes_come_back_as_failed(forward: Forward, tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")
    link = ForwarderLink(forward("http://127.0.0.1:1/"))
    assert isinstance(told(link, Wish.SETTLE, line("a"))["a"], ReportFailed)
    link.close()


def test_where_nobody_listens_there_is_no_link() -> None:
    with pytest.raises(ConnectionRefusedError):
        ForwarderLink("\0nobody-listens-here")
