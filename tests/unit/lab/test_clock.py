from datetime import UTC, datetime, timedelta, timezone

import pytest

from lab.clock import now_us, to_iso, to_us


def test_a_time_keeps_its_microseconds_both_ways() -> None:
    moment = datetime(2026, 1, 31, 12, 0, 0, 7, tzinfo=UTC)
    assert to_iso(to_us(moment)) == "2026-01-31T12:00:00.000007Z"


def test_a_time_of_another_zone_becomes_utc() -> None:
    moscow = timezone(timedelta(hours=3))
    assert to_iso(to_us(datetime(2026, 1, 31, 12, tzinfo=moscow))) == "2026-01-31T09:00:00.000000Z"


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        to_us(datetime(2026, 1, 31, 12))


def test_now_is_now() -> None:
    assert abs(now_us() / 1e6 - datetime.now(UTC).timestamp()) < 5
