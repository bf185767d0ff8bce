"""When things are due, also where the clocks change."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from lab.schedule import ENTRIES, At, Entry, Every, Rule, day_before

UTC_ZONE = ZoneInfo("UTC")
ZONES = ["UTC", "Europe/Moscow", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def dues(rule: Rule, begin: datetime, days: float, zone: ZoneInfo) -> list[datetime]:
    """All due times after `begin`, one after the other."""
    found, moment = [], begin
    while (moment := rule.next(moment, zone)) <= begin + timedelta(days=days):
        found.append(moment)
    return found


def test_the_entries_are_those_of_the_guide() -> None:
    assert {name: entry.rule for name, entry in ENTRIES.items()} == {
        "check-health-every-minute": Every(60),
        "daily-report": At(8, 0),
        "weekly-cleanup": At(9, 0, weekday=1),
    }


def test_every_minute_is_the_full_minute() -> None:
    assert Every(60).last(at("2026-11-21T12:00:59.999"), UTC_ZONE) == at("2026-11-21T12:00")
    assert Every(60).next(at("2026-11-21T12:00:00"), UTC_ZONE) == at("2026-11-21T12:01")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("hour", [0, 2, 3, 8, 23])
@pytest.mark.parametrize("minute", [0, 30])
def test_a_daily_time_comes_once_a_day_all_year_also_when_the_clocks_change(
    zone: str, hour: int, minute: int
) -> None:
    where = ZoneInfo(zone)
    found = dues(At(hour, minute), at("2026-01-01T12:00"), 365, where)
    assert len(found) == 365
    days = [due.astimezone(where).date() for due in found]
    assert len(set(days)) == 365
    assert all(timedelta(hours=22.5) <= b - a <= timedelta(hours=25.5) for a, b in pairwise(found))
    usual = [due for due in found if f"{due.astimezone(where):%H:%M}" == f"{hour:02}:{minute:02}"]
    assert len(usual) >= 364


@pytest.mark.parametrize(
    ("zone", "time", "before", "due"),
    [
        # Left out: 02:30 is 03:30 that night.
        ("Europe/Berlin", At(2, 30), "2026-03-28T12:00", "2026-03-29T01:30"),
        ("America/New_York", At(2, 30), "2026-03-07T12:00", "2026-03-08T07:30"),
        # Twice: the first is meant.
        ("Europe/Berlin", At(2, 30), "2026-10-24T12:00", "2026-10-25T00:30"),
        ("America/New_York", At(1, 30), "2026-10-31T12:00", "2026-11-01T05:30"),
        # Moscow's clocks went back for good in 2014, at 02:00.
        ("Europe/Moscow", At(1, 30), "2014-10-25T12:00", "2014-10-25T21:30"),
        ("Europe/Moscow", At(8), "2026-11-21T00:00", "2026-11-21T05:00"),
    ],
)
def test_a_time_that_the_clocks_leave_out_or_show_twice_is_due_once(
    zone: str, time: At, before: str, due: str
) -> None:
    where = ZoneInfo(zone)
    assert time.next(at(before), where) == at(due)
    hours = (at(due) + timedelta(minutes=n) for n in range(0, 240, 10))
    assert {time.last(moment, where) for moment in hours} == {at(due)}


def test_a_day_that_a_country_left_out_has_no_due_time_of_its_own() -> None:
    # Samoa went from the 29th to the 31st of December 2011.
    found = dues(At(8), at("2011-12-28T00:00"), 5, ZoneInfo("Pacific/Apia"))
    assert len(found) == len(set(found)) == 5


def test_a_weekly_time_comes_on_its_day() -> None:
    moscow = ZoneInfo("Europe/Moscow")
    found = dues(At(9, weekday=1), at("2026-11-21T12:00"), 35, moscow)
    assert found == [at("2026-11-23T06:00") + n * timedelta(weeks=1) for n in range(5)]
    assert At(9, weekday=1).last(at("2026-11-21T12:00"), moscow) == at("2026-11-16T06:00")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("entry", ENTRIES.values(), ids=str)
def test_last_and_next_meet(entry: Entry, zone: str) -> None:
    where = ZoneInfo(zone)
    for n in range(500):
        moment = at("2026-03-01T00:00") + n * timedelta(hours=17, minutes=7, seconds=3)
        last, following = entry.rule.last(moment, where), entry.rule.next(moment, where)
        assert last <= moment < following
        assert entry.rule.next(last, where) == following
        assert entry.rule.last(following, where) == following


@pytest.mark.parametrize(
    ("word", "due"),
    [
        ("2026-11-21T07:58:30", "2026-11-20T08:00"),
        ("2026-11-21T07:59:30", "2026-11-21T08:00"),
        ("2026-11-21T08:00:00", "2026-11-21T08:00"),
        ("2026-11-21T08:00:40", "2026-11-21T08:00"),
        ("2026-11-21T22:00:00", "2026-11-21T08:00"),
    ],
)
def test_a_beats_word_means_the_latest_due_time_whatever_its_clock_and_however_late(
    word: str, due: str
) -> None:
    assert ENTRIES["daily-report"].due(at(word), UTC_ZONE) == at(due)


def test_beats_of_the_same_minute_mean_the_same_due_time() -> None:
    check = ENTRIES["check-health-every-minute"]
    words = [at("2026-11-21T12:00:00") + timedelta(seconds=n / 10) for n in range(-49, 540)]
    assert {check.due(word, UTC_ZONE) for word in words} == {at("2026-11-21T12:00")}


@pytest.mark.parametrize(
    ("moment", "since", "until"),
    [
        ("2026-11-21T05:00", "2026-11-19T21:00", "2026-11-20T21:00"),
        ("2026-11-20T21:00", "2026-11-19T21:00", "2026-11-20T21:00"),
    ],
)
def test_the_day_before_is_a_whole_local_day(moment: str, since: str, until: str) -> None:
    assert day_before(at(moment), ZoneInfo("Europe/Moscow")) == (at(since), at(until))


@pytest.mark.parametrize(("day", "hours"), [("2026-03-30", 23), ("2026-10-26", 25), ("2026-11-21", 24)])
def test_a_day_is_as_long_as_the_clocks_make_it(day: str, hours: int) -> None:
    since, until = day_before(at(f"{day}T08:00"), ZoneInfo("Europe/Berlin"))
    assert until - since == timedelta(hours=hours)
