from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.clock import from_iso, in_bounds, now_us, to_iso, to_us


def test_a_time_keeps_its_microseconds_both_ways() -> None:
    moment = datetime(2026, 1, 31, 12, 0, 0, 7, tzinfo=UTC)
    assert to_iso(to_us(moment)) == "2026-01-31T12:00:00.000007Z"


@given(st.integers(0, 253_402_300_799_999_999))
def test_what_is_written_is_read_again(us: int) -> None:
    assert from_iso(to_iso(us)) == us


@pytest.mark.parametrize("text", ["2026-02-30T12:00:00.000000Z", "2026-01-31T24:00:01.000000Z"])
def test_a_time_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"day|hour|range"):
        from_iso(text)


def test_a_time_of_another_zone_becomes_utc() -> None:
    moscow = timezone(timedelta(hours=3))
    assert to_iso(to_us(datetime(2026, 1, 31, 12, tzinfo=moscow))) == "2026-01-31T09:00:00.000000Z"


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        to_us(datetime(2026, 1, 31, 12))


def test_now_is_now() -> None:
    assert abs(now_us() / 1e6 - datetime.now(UTC).timestamp()) < 5


@given(st.integers())
def test_every_number_is_shown_as_some_time(us: int) -> None:
    assert from_iso(to_iso(us)) == us or not -62_135_596_800_000_000 <= us <= 253_402_300_799_999_999


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "1969-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00+00:01",
        "2200-01-01T00:00:00Z",
        "9999-12-31T23:59:59-12:00",
        "2026-01-31T12:00:00",
    ],
)
def test_a_time_that_the_lab_does_not_take_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"1970|zone"):
        in_bounds(datetime.fromisoformat(text))


def test_the_first_and_the_last_time_are_taken_at_any_offset() -> None:
    for text in ("1970-01-01T14:00:00+14:00", "2199-12-31T11:59:59-12:00", "2026-01-31T12:00:00Z"):
        assert in_bounds(datetime.fromisoformat(text)) == datetime.fromisoformat(text)
