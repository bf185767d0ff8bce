"""Which tasks a page shows, as its address says it."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from flask import url_for

from lab.clock import in_bounds, to_us
from lab.status import TaskStatus
from store.task_order import SORTS
from store.tasks import Query
from transports import TRANSPORTS

LONGEST_SEARCH: Final = 64
LONGEST_TEXT: Final = 200
DEFAULT_SORT: Final = "-num"


@dataclass
class Filter:
    """Which tasks the table shows and in which order, as the address says it; what makes no sense counts as left
    out.

    Attributes:
        since, until: sent from the one to before the other: ISO 8601, in UTC where no zone is named.
        checks: "1" where the schedule's checks of the lab's health are shown too.
        before: the last task of the page before; in an order other than that of the numbers, how many came before.
    """

    method: str = ""
    status: str = ""
    q: str = ""
    kind: str = ""
    worker: str = ""
    error: str = ""
    since: str = ""
    until: str = ""
    checks: str = ""
    sort: str = DEFAULT_SORT
    before: int | None = None

    @classmethod
    def of(cls, args: Mapping[str, str]) -> "Filter":
        """What the arguments `args` of an address say; `at` is a task to begin with."""
        method, status, sort = args.get("method", ""), args.get("status", ""), args.get("sort", "")
        before, at = _whole(args.get("before", "")), _whole(args.get("at", "").strip().lstrip("#№"))
        sort = sort if sort.removeprefix("-") in SORTS else DEFAULT_SORT
        if at is not None:
            before, sort = at + 1, DEFAULT_SORT
        return cls(
            method=method if method in TRANSPORTS else "",
            status=status if status in TaskStatus.__members__ else "",
            q=_text(args.get("q", "")).lstrip("#№").strip()[:LONGEST_SEARCH],
            kind=_text(args.get("kind", ""))[:LONGEST_SEARCH],
            worker=_text(args.get("worker", ""))[:LONGEST_TEXT],
            error=_text(args.get("error", ""))[:LONGEST_TEXT],
            since=_moment(args.get("since", "")),
            until=_moment(args.get("until", "")),
            checks="1" if args.get("checks") == "1" else "",
            sort=sort,
            before=before,
        )

    @property
    def all_checks(self) -> bool:
        """Whether checks are shown: where they are asked for, or something that may be one."""
        return bool(self.checks or self.q or self.kind)

    @property
    def newest(self) -> bool:
        """Whether it is the page that new tasks come to."""
        return self.before is None and self.sort == DEFAULT_SORT

    @property
    def narrow(self) -> bool:
        """Whether more is asked for than a method and a status."""
        return any((self.kind, self.worker, self.error, self.since, self.until))

    def args(self, **changes: str | int | None) -> dict[str, Any]:
        """The address's arguments, changed; without `before` unless that is among the changes."""
        args: dict[str, Any] = {**asdict(self), "before": None, **changes}
        if args["sort"] == DEFAULT_SORT:
            del args["sort"]
        return {name: value for name, value in args.items() if value}

    def url(self, **changes: str | int | None) -> str:
        """The address of the table with this filter, changed; always of its newest page unless
        `before` is among the changes."""
        return url_for("pages.index", **self.args(**changes)) + "#tasks"

    def sorted_url(self, name: str) -> str:
        """The address of the table in the order of `name`: the greatest times and numbers first, names from A; the
        other way round where it is so already."""
        first = name if name in ("method", "kind", "status", "worker") else f"-{name}"
        other = name if first.startswith("-") else f"-{name}"
        return self.url(sort=other if self.sort == first else first)

    def direction(self, name: str) -> str:
        """In which direction the column `name` is sorted, in the words of `aria-sort`; nothing where it is not."""
        return {name: "ascending", f"-{name}": "descending"}.get(self.sort, "")

    def api_args(self) -> dict[str, Any]:
        """The same filter for the JSON API."""
        args = {**self.args(sort=DEFAULT_SORT), "checks": "true" if self.all_checks else "false"}
        return args

    def query(self, limit: int) -> Query:
        """The same for the store."""
        return Query(
            self.method or None,
            TaskStatus(self.status) if self.status else None,
            self.q,
            limit=limit,
            kind=self.kind or None,
            worker=self.worker or None,
            error=self.error,
            since_us=_us(self.since),
            until_us=_us(self.until),
            checks=self.all_checks,
            sort=self.sort,
        ).at(self.before)


def _text(typed: str) -> str:
    return typed.replace("\0", "").strip()


def _whole(typed: str) -> int | None:
    return int(typed) if re.fullmatch(r"[0-9]{1,18}", typed) else None


def _moment(typed: str) -> str:
    """A time as it was typed, in UTC and to the second; nothing where it is none."""
    try:
        moment = datetime.fromisoformat(typed.strip())
        moment = in_bounds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return ""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


def _us(moment: str) -> int | None:
    return to_us(datetime.fromisoformat(moment)) if moment else None
