import time
from collections.abc import Callable

import pytest

from consumer.hold import Hold, interval


class Held:
    """A Hold that releases when it is told to, what it began, and time that stands still until it is moved."""

    def __init__(self, is_over: Callable[[str], bool] = lambda _: False) -> None:
        self.now = 100.0
        self.begun: list[str] = []
        self.hold: Hold[str] = Hold(self.begun.append, is_over)

    def take(self, kind: str, *works: str) -> None:
        for work in works:
            self.hold.take(work, kind)

    def due(self) -> list[str]:
        """What begins now."""
        before = len(self.begun)
        self.hold.release(self.now)
        return self.begun[before:]

    def starts(self, seconds: float, step: float = 0.25) -> list[float]:
        """When works begin within `seconds` from now, counted from there."""
        begin, found = self.now, []
        while self.now <= begin + seconds:
            found += [self.now - begin for _ in self.due()]
            self.now += step
        return found


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.mark.parametrize(
    ("rate", "seconds"),
    [
        ("10/m", 6),
        ("120/m", 0.5),
        ("2", 0.5),
        ("4/s", 0.25),
        ("1/h", 3600),
        ("0.5/s", 2),
        ("0", 0),
        ("0/m", 0),
    ],
)
def test_a_rate_is_seconds_between_starts(rate: str, seconds: float) -> None:
    assert interval(rate) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "rate", ["", "m", "-1/m", "10/d", "10 / m", "1e9/m", "ten/m", "nan", "٣/m", "10/m\n"]
)
def test_what_is_no_rate_is_refused(held: Held, rate: str) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        held.hold.rate_limit("tea", rate)
    assert held.hold.rates() == {}


def test_starts_of_a_kind_are_evenly_spaced(held: Held) -> None:
    held.hold.rate_limit("tea", "60/m")
    held.take("tea", *"abcd")
    assert held.starts(10) == [0.0, 1.0, 2.0, 3.0]


def test_quiet_time_is_not_saved_up_for_a_burst(held: Held) -> None:
    held.hold.rate_limit("tea", "60/m")
    held.now += 3600
    held.take("tea", *"abc")
    assert held.starts(10) == [0.0, 1.0, 2.0]


def test_they_start_in_the_order_in_which_they_came_and_kinds_do_not_wait_for_each_other(held: Held) -> None:
    held.hold.rate_limit("tea", "1/h")
    held.hold.rate_limit("coffee", "60/m")
    held.take("tea", "t1", "t2")
    held.take("coffee", "c1", "c2")
    assert held.due() == ["t1", "c1"]
    held.now += 1
    assert held.due() == ["c2"]
    assert len(held.hold) == 1


def test_a_kind_without_a_limit_begins_at_once(held: Held) -> None:
    held.take("tea", "a")
    held.hold.rate_limit("tea", "1/h")
    held.take("tea", "b")
    held.take("coffee", "c")
    assert held.begun == ["a", "c"]


def test_a_lifted_limit_lets_all_go_at_once_and_is_gone(held: Held) -> None:
    held.hold.rate_limit("tea", "1/h")
    held.take("tea", *"abc")
    assert held.due() == ["a"]
    held.hold.rate_limit("tea", "0")
    assert held.due() == ["b", "c"]
    assert held.hold.rates() == {}
    held.take("tea", "d")
    assert held.begun[-1] == "d"


def test_what_comes_while_others_still_leave_does_not_overtake_them(held: Held) -> None:
    held.hold.rate_limit("tea", "1/h")
    held.take("tea", "a")
    held.hold.rate_limit("tea", "0")
    held.take("tea", "b")
    assert held.due() == ["a", "b"]


def test_a_new_limit_counts_from_the_last_start(held: Held) -> None:
    held.hold.rate_limit("tea", "1/h")
    held.take("tea", *"abc")
    assert held.due() == ["a"]
    held.hold.rate_limit("tea", "60/m")
    assert held.hold.release(held.now) == held.now + 1
    assert held.starts(5) == [1.0, 2.0]
    assert held.hold.rates() == {"tea": "60/m"}


def test_what_will_not_be_run_anyway_takes_no_turn() -> None:
    held = Held(lambda work: work == "stale")
    held.hold.rate_limit("tea", "60/m")
    held.take("tea", "stale", "a", "stale", "b")
    assert held.starts(5) == [0.0, 0.0, 0.0, 1.0]
    assert held.begun == ["stale", "stale", "a", "b"]
    assert held.hold.release(held.now) is None


def test_works_begin_when_their_time_has_come_the_earliest_first(held: Held) -> None:
    held.now = time.monotonic()
    for seconds, work in ((30.0, "c"), (10.0, "a"), (20.0, "b")):
        held.hold.take(work, "tea", seconds)
    assert held.due() == []
    held.now += 25
    assert held.due() == ["a", "b"]
    assert len(held.hold) == 1


def test_a_limit_holds_what_has_waited_for_its_time(held: Held) -> None:
    held.hold.rate_limit("tea", "60/m")
    for work in "ab":
        held.hold.take(work, "tea", 0.001)
    held.now = time.monotonic() + 1
    assert held.starts(5) == [0.0, 1.0]


def test_all_that_is_held_can_be_given_up(held: Held) -> None:
    held.hold.rate_limit("tea", "1/h")
    held.take("tea", "a", "b")
    held.hold.take("c", "coffee", 60.0)
    assert sorted(held.hold.give_up()) == ["a", "b", "c"]
    assert (len(held.hold), held.hold.release(held.now + 100)) == (0, None)


def test_the_crowd_that_limits_hold_is_told_in_powers_of_two(held: Held) -> None:
    assert held.hold.crowd() == 0
    held.hold.rate_limit("add", "1/h")
    crowds = []
    for number in range(6):
        held.hold.take(f"add-{number}", "add")
        crowds.append(held.hold.crowd())
    assert crowds == [1, 2, 4, 4, 8, 8]
