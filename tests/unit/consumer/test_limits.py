import pytest

from consumer.limits import Limits, interval


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self, limits: Limits[str]) -> None:
        self.now = 100.0
        self._limits = limits

    def starts(self, seconds: float, step: float = 0.25) -> list[float]:
        """When works come due within `seconds` from now, counted from there."""
        begin, found = self.now, []
        while self.now <= begin + seconds:
            found += [self.now - begin for _ in self._limits.due(self.now)]
            self.now += step
        return found


@pytest.fixture
def limits() -> Limits[str]:
    return Limits()


@pytest.fixture
def clock(limits: Limits[str]) -> Clock:
    return Clock(limits)


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
def test_what_is_no_rate_is_refused(limits: Limits[str], rate: str) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        limits.set("tea", rate)
    assert limits.rates() == {}


def test_starts_of_a_kind_are_evenly_spaced(limits: Limits[str], clock: Clock) -> None:
    limits.set("tea", "60/m")
    for name in "abcd":
        assert limits.hold("tea", name)
    assert clock.starts(10) == [0.0, 1.0, 2.0, 3.0]


def test_quiet_time_is_not_saved_up_for_a_burst(limits: Limits[str], clock: Clock) -> None:
    limits.set("tea", "60/m")
    clock.now += 3600
    for name in "abc":
        limits.hold("tea", name)
    assert clock.starts(10) == [0.0, 1.0, 2.0]


def test_they_start_in_the_order_in_which_they_came_and_kinds_do_not_wait_for_each_other(
    limits: Limits[str], clock: Clock
) -> None:
    limits.set("tea", "1/h")
    limits.set("coffee", "60/m")
    for name in ("t1", "t2"):
        limits.hold("tea", name)
    for name in ("c1", "c2"):
        limits.hold("coffee", name)
    assert limits.due(clock.now) == ["t1", "c1"]
    assert limits.due(clock.now + 1) == ["c2"]
    assert len(limits) == 1


def test_a_kind_without_a_limit_is_not_held(limits: Limits[str]) -> None:
    assert not limits.hold("tea", "a")
    limits.set("tea", "1/h")
    assert limits.hold("tea", "b")
    assert not limits.hold("coffee", "c")


def test_a_lifted_limit_lets_all_go_at_once_and_is_gone(limits: Limits[str], clock: Clock) -> None:
    limits.set("tea", "1/h")
    for name in "abc":
        limits.hold("tea", name)
    assert limits.due(clock.now) == ["a"]
    limits.set("tea", "0")
    assert limits.due(clock.now) == ["b", "c"]
    assert limits.rates() == {}
    assert not limits.hold("tea", "d")


def test_what_comes_while_others_still_leave_does_not_overtake_them(
    limits: Limits[str], clock: Clock
) -> None:
    limits.set("tea", "1/h")
    limits.hold("tea", "a")
    limits.set("tea", "0")
    assert limits.hold("tea", "b")
    assert limits.due(clock.now) == ["a", "b"]


def test_a_new_limit_counts_from_the_last_start(limits: Limits[str], clock: Clock) -> None:
    limits.set("tea", "1/h")
    for name in "abc":
        limits.hold("tea", name)
    assert limits.due(clock.now) == ["a"]
    limits.set("tea", "60/m")
    assert limits.next_at() == clock.now + 1
    assert clock.starts(5) == [1.0, 2.0]
    assert limits.rates() == {"tea": "60/m"}


def test_works_can_be_picked_out_without_taking_a_turn(limits: Limits[str], clock: Clock) -> None:
    limits.set("tea", "60/m")
    for name in ("a", "stale", "b"):
        limits.hold("tea", name)
    assert limits.pick(lambda work: work == "stale") == ["stale"]
    assert clock.starts(5) == [0.0, 1.0]
    assert limits.next_at() is None
