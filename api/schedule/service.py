"""The schedule at work: a due time becomes a task, once, no matter who tells of it and how often."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from api.relay import Relay
from lab.clock import to_iso, to_us
from lab.schedule import Entry, day_before
from lab.settings import Settings
from store.experiment_queries import ExperimentQueries
from store.reports import ReportRows
from store.schedule import Cleanup, RunRows
from store.task_queries import Row
from store.tasks import Added, KeyReused, NewTask, Store
from transports.methods import CELERY

BY_HAND: Final = timedelta(days=1)


class Schedule:
    """Makes tasks of the entries of `lab.schedule.ENTRIES`."""

    def __init__(self, settings: Settings, store: Store, relay: Relay) -> None:
        self._settings = settings
        self._store = store
        self._relay = relay
        self.runs = RunRows(store.engine)
        self.reports = ReportRows(store.engine)
        self._cleanup = Cleanup(store.engine)
        self._experiments = ExperimentQueries(store.engine)

    def due(self, entry: Entry, now: datetime) -> Row | None:
        """Handles beat's message, received at `now`, that `entry` is due. Returns the task that it became, or None
        where that due time has one already, or is passed over since an experiment runs."""
        due = entry.due(now, self._settings.timezone)
        if entry.rests and self._experiments.under_way():
            self.runs.add(entry.name, to_us(due), None)
            return None
        since, until = day_before(due, self._settings.timezone)
        try:
            # The key makes task and due time one, should this process end before the run is noted.
            key = f"schedule:{entry.name}:{to_us(due)}"
            row = self._submit(entry, _params(entry, since, until), key).rows[0]
        except KeyReused:
            return None
        return row if self.runs.add(entry.name, to_us(due), row["id"]) else None

    def run_now(self, entry: Entry, now: datetime, key: str | None = None) -> Row:
        """Makes a task of `entry`, whether it is due or not; a report is on the 24 hours until `now`. Returns the
        task that `key` made before where it comes again.

        Raises:
            KeyReused: the task that `key` made was removed.
        """
        try:
            added = self._submit(entry, _params(entry, now - BY_HAND, now), key)
        except KeyReused:  # another moment makes another report, and yet the request is the same
            if key is None or not (before := self._store.under_key(key)):
                raise
            return before[0]
        row = added.rows[0]
        if added.anew:
            self.runs.add(entry.name, None, row["id"])
        return row

    def clean_up(self, now: datetime) -> tuple[dict[str, int], bool]:
        """Removes some of what ended more than LAB_KEEP_DAYS before `now`, as `Cleanup.step`."""
        return self._cleanup.step(to_us(now - timedelta(days=self._settings.keep_days)))

    def _submit(self, entry: Entry, params: dict[str, Any], key: str | None) -> Added:
        new = NewTask(
            CELERY.name,
            entry.kind,
            params,
            delivery=self._settings.delivery,
            max_retries=entry.max_retries,
        )
        added = self._store.add(new, relay=self._relay.name, key=key)
        self._relay.wake(CELERY.name)
        return added


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def _params(entry: Entry, since: datetime, until: datetime) -> dict[str, Any]:
    if entry.kind != "generate_daily_report":
        return {}
    return {"since": to_iso(to_us(since)), "until": to_iso(to_us(until))}
