"""The API's time, with clocks that the tests set."""

import logging
import time

import pytest

from lab.reporting.api_clock import ApiClock
from lab.reporting.callback_client import CallbackClient
from lab.reporting.reporter import Reporter
from tests.callback_api import Api

SECOND = 1_000_000


class Clocks:
    """The machine's clock, which is `ahead` of the right time, and the steady one."""

    def __init__(self) -> None:
        self.right, self.steady, self.ahead = 1_800_000_000 * SECOND, 5 * SECOND, 0
        self.api = ApiClock(lambda: self.right + self.ahead, lambda: self.steady)

    def go_on(self, us: int) -> None:
        self.right += us
        self.steady += us

    def exchange(self, there: int, back: int) -> None:
        sent = self.steady
        self.go_on(there)
        stamp = str(self.right)
        self.go_on(back)
        self.api.note(sent, stamp)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_before_any_answer_the_offset_is_unknown_and_the_machines_clock_counts(clocks: Clocks) -> None:
    clocks.ahead = 3600 * SECOND
    assert clocks.api.offset is None
    assert clocks.api.due
    assert clocks.api.now_us() == clocks.right + 3600 * SECOND


@pytest.mark.parametrize("ahead", [3600, -3600])
def test_an_answer_tells_the_offset_and_the_right_time(clocks: Clocks, ahead: int) -> None:
    clocks.ahead = ahead * SECOND
    clocks.exchange(1000, 1000)
    clocks.go_on(60 * SECOND)
    assert clocks.api.offset == ahead
    assert clocks.api.now_us() == clocks.right


def test_the_shortest_round_trip_of_the_last_minutes_counts(clocks: Clocks) -> None:
    clocks.exchange(1000, 1000)
    clocks.exchange(50_000, 1000)
    assert clocks.api.offset == 0
    clocks.go_on(301 * SECOND)
    assert clocks.api.due
    clocks.exchange(50_000, 10_000)
    assert clocks.api.offset == pytest.approx(-0.02)


def test_a_clock_that_is_set_right_is_right_at_once(clocks: Clocks) -> None:
    clocks.ahead = 10 * SECOND
    clocks.exchange(1000, 1000)
    clocks.ahead = 0
    assert clocks.api.offset == 0


def test_where_the_apis_clock_was_set_the_newer_answer_counts(clocks: Clocks) -> None:
    clocks.exchange(1000, 1000)
    clocks.right += 60 * SECOND
    clocks.exchange(20_000, 20_000)
    assert clocks.api.now_us() == clocks.right


@pytest.mark.parametrize("stamp", [None, "", "-1", "1e9", "²"])
def test_what_is_no_time_is_ignored(clocks: Clocks, stamp: str | None) -> None:
    clocks.api.note(clocks.steady, stamp)
    assert clocks.api.offset is None


def test_an_answer_that_took_long_tells_nothing(clocks: Clocks) -> None:
    clocks.exchange(5 * SECOND, 0)
    assert clocks.api.offset is None


def test_a_wrong_clock_is_warned_of_once(clocks: Clocks, caplog: pytest.LogCaptureFixture) -> None:
    clocks.ahead = -7 * SECOND
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            clocks.exchange(1000, 1000)
    assert [record.getMessage() for record in caplog.records] == [
        "this machine's clock is -7.0 s off, by the API's"
    ]


def test_a_client_takes_the_time_from_the_answers(api: Api) -> None:
    api.behind = 3600.0
    client = CallbackClient(api.url)
    client.ask_time()
    assert client.clock.offset == pytest.approx(3600, abs=1)


def test_a_reporter_knows_the_offset_before_there_is_anything_to_report(api: Api) -> None:
    api.behind = -3600.0
    reporter = Reporter(api.url)
    reporter.start()
    deadline = time.monotonic() + 20
    while reporter.clock.offset is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert reporter.clock.offset == pytest.approx(-3600, abs=1)


def test_an_api_that_is_away_leaves_the_offset_unknown() -> None:
    client = CallbackClient("http://127.0.0.1:1/")
    client.ask_time()
    assert client.clock.offset is None


def test_a_clock_that_is_right_within_a_round_trip_is_believed() -> None:
    wall, steady = 1_800_000_000_000_000, 5_000_000
    clock = ApiClock(lambda: wall, lambda: steady)
    clock.note(steady - 2_000, str(wall + 700))  # the answer's half of the way was the longer one
    assert clock.now_us() == wall
    assert clock.offset == pytest.approx(0, abs=0.002)
