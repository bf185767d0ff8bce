"""One connection to a forwarder that was really started, for many reports at once."""

import json
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import forwarder_link, remote_reporter
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


def test_what_waits_is_written_by_the_next_turn_of_the_loop(forward: Forward, api: Api) -> None:
    link = ForwarderLink(forward(api.url))
    link.send(Wish.SETTLE, line("a"), lambda _: None)
    assert (api.posts, len(link)) == (0, 1)
    link.tend()
    link.on_readable()
    assert (api.posts, len(link)) == (1, 0)
    link.close()


def test_an_answer_that_is_not_taken_keeps_nobody_from_his(forward: Forward, api: Api) -> None:
    link = ForwarderLink(forward(api.url))
    found: list[object] = []

    def refuse(_: object) -> None:
        raise RuntimeError("no")

    for name, on_answer in (("a", refuse), ("b", found.append)):
        link.send(Wish.SETTLE, line(name), on_answer)
    link.drain(10)
    assert found == [Verdict(task_id="b")]
    link.close()


def test_a_forwarder_that_is_silent_for_too_long_is_given_up(
    forward: Forward, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarder_link, "ANSWER_SECONDS", 0.2)
    api.slow = 2
    link = ForwarderLink(forward(api.url))
    found: list[object] = []
    link.send(Wish.SETTLE, line("a"), found.append)
    link.tend()
    assert link.alive
    time.sleep(0.3)
    link.tend()
    assert (link.alive, found) == (False, [None])


def test_what_cannot_be_sent_raises_and_leaves_nothing_behind(forward: Forward, api: Api) -> None:
    link = ForwarderLink(forward(api.url))
    with pytest.raises(struct.error):
        link.send(Wish.ASK, Line("x" * 70_000, b"{}"), lambda _: None)
    assert len(link) == 0
    assert told(link, Wish.SETTLE, line("a")) == {"a": Verdict(task_id="a")}
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
