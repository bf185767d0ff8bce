"""What runs by the clock, and when it is due. Beat keeps the time; which due time is meant, the API works
out from the rules here, so that two beats mean the same one."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Every:
    """Every `seconds`, counted from 1970 in UTC: every 60 is at the full minute."""

    seconds: int
    tolerance = timedelta(seconds=5)

    def last(self, moment: datetime, zone: ZoneInfo) -> datetime:  # noqa: ARG002 - as At has it
        """The latest due time that is not after `moment`."""
        period = timedelta(seconds=self.seconds)
        return (moment - (moment - _EPOCH) % period).astimezone(UTC)

    def next(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """The first due time after `moment`."""
        return self.last(moment, zone) + timedelta(seconds=self.seconds)


@dataclass(frozen=True)
class At:
    """At a time of the day, each day or on one `weekday` (1 is Monday, as in ISO 8601).

    A time that a change of the clocks leaves out is due as much later as they jump; of one that comes
    twice, the first is meant (PEP 495).
    """

    hour: int
    minute: int = 0
    weekday: int | None = None
    tolerance = timedelta(seconds=60)

    def last(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """The latest due time that is not after `moment`, in UTC."""
        return max(due for due in self._around(moment, zone) if due <= moment)

    def next(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """The first due time after `moment`, in UTC."""
        return min(due for due in self._around(moment, zone) if due > moment)

    def _around(self, moment: datetime, zone: ZoneInfo) -> list[datetime]:
        today = moment.astimezone(zone).date()
        days = (today + offset * _DAY for offset in range(-8, 9))
        wanted = (day for day in days if self.weekday in (None, day.isoweekday()))
        return [_utc(day, time(self.hour, self.minute), zone) for day in wanted]


Rule = Every | At


@dataclass(frozen=True)
class Entry:
    """A line of the schedule: the job `kind`, run whenever `rule` says so.

    Attributes:
        rests: whether due times are passed over while an experiment runs: what runs every minute would run on the
            workers of one contender only.
    """

    name: str
    kind: str
    rule: Rule
    max_retries: int = 3
    rests: bool = False

    def due(self, now: datetime, zone: ZoneInfo) -> datetime:
        """The due time that a beat means whose word comes at `now`. Its clock may be a little ahead."""
        return self.rule.last(now + self.rule.tolerance, zone)


ENTRIES: Final = {
    entry.name: entry
    for entry in (
        Entry("check-health-every-minute", "health_check", Every(60), max_retries=0, rests=True),
        Entry("daily-report", "generate_daily_report", At(8), max_retries=10),
        Entry("weekly-cleanup", "cleanup_old_data", At(9, weekday=1)),
    )
}


def day_before(moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Beginning and end, in UTC, of the last whole day of `zone` before `moment`: 23 to 25 hours."""
    today = moment.astimezone(zone).date()
    return _utc(today - _DAY, time(), zone), _utc(today, time(), zone)


def _utc(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)
