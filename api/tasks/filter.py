"""Which tasks a page shows, as its address says it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import url_for

from lab.status import TaskStatus
from store.tasks import Query
from transports import TRANSPORTS

LONGEST_SEARCH: Final = 64


@dataclass
class Filter:
    """Which tasks the table shows, as the address says it; what makes no sense counts as left out."""

    method: str = ""
    status: str = ""
    q: str = ""
    before: int | None = None

    @classmethod
    def of(cls, args: Mapping[str, str]) -> "Filter":
        method, status, before = args.get("method", ""), args.get("status", ""), args.get("before", "")
        return cls(
            method=method if method in TRANSPORTS else "",
            status=status if status in TaskStatus.__members__ else "",
            q=args.get("q", "").replace("\0", "").strip().lstrip("#№").strip()[:LONGEST_SEARCH],
            before=int(before) if re.fullmatch(r"[0-9]{1,18}", before) else None,
        )

    def url(self, **changes: str | int | None) -> str:
        """The address of the table with this filter, changed; always of its newest page unless
        `before` is among the changes."""
        args: dict[str, Any] = {"method": self.method, "status": self.status, "q": self.q, **changes}
        return url_for("pages.index", **{k: v for k, v in args.items() if v}) + "#tasks"

    def query(self, limit: int) -> Query:
        status = TaskStatus(self.status) if self.status else None
        return Query(self.method or None, status, self.q, self.before, limit)
