"""The options of a task as the JSON API takes them, and as the store keeps them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lab.clock import now_us, to_iso, to_us
from lab.jobs.backoff import RetryPolicy
from lab.options import MAX_COUNTDOWN, MAX_PRIORITY, Options
from lab.values import Moment

# What a task that is sent again takes over: its times are over.
KEPT: Final = ("priority", "retry", "keep_result")
BROKERED: Final = ("countdown", "eta", "expires", "priority", "callback", "errback")
FOLLOWER: Final = frozenset({"id", "num", "kind", "params"})
_US: Final = 1_000_000


def _no_number(value: object) -> object:
    """`value`, unless it is a number or the text of one, which pydantic would take for seconds since 1970."""
    digits = str(value).strip().lstrip("+-").replace(".", "", 1)
    if isinstance(value, int | float) or digits.isdecimal():
        raise ValueError("a time is ISO 8601 with a zone, such as 2026-01-31T12:00:00Z")
    return value


def _seconds_or_time(value: object) -> object:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


Time = Annotated[Moment, Field(strict=False), BeforeValidator(_no_number)]
"""A time as requests name it."""
Countdown = Annotated[float, Field(ge=0, le=MAX_COUNTDOWN, allow_inf_nan=False)]
Lifetime = Annotated[float, Field(gt=0, le=MAX_COUNTDOWN, allow_inf_nan=False)]


class TaskOptions(BaseModel):
    """When a task runs, how urgent it is, how it is tried again."""

    model_config = ConfigDict(strict=True, extra="forbid")

    countdown: Annotated[Countdown | None, Field(description="seconds from now before it may begin")] = None
    eta: Annotated[Time | None, Field(description="the time before which it does not begin")] = None
    expires: Annotated[
        Lifetime | Moment | None,
        BeforeValidator(_seconds_or_time),
        Field(description="seconds from now, or a time: a task that nobody began by then is CANCELLED"),
    ] = None
    priority: Annotated[
        int | None, Field(ge=0, le=MAX_PRIORITY, description="9 first; only with safe delivery")
    ] = None
    retry: Annotated[
        RetryPolicy | None,
        Field(description="how it waits for a retry; by default 1, 2, 4 … 64 seconds, jittered"),
    ] = None
    keep_result: Annotated[
        bool, Field(description="have Celery keep progress and result in its result backend")
    ] = False

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        if self.countdown is not None and self.eta is not None:
            raise ValueError("eta: give it or countdown, not both")
        now = now_us()
        begin, end = begin_us(self.asked(), now), end_us(self.asked(), now)
        if begin > now + MAX_COUNTDOWN * _US:
            raise ValueError(f"eta: it lies more than {MAX_COUNTDOWN / 86_400:g} days ahead")
        if end is not None and end > now + MAX_COUNTDOWN * _US:
            raise ValueError(f"expires: it lies more than {MAX_COUNTDOWN / 86_400:g} days ahead")
        if end is not None and begin > now and end <= begin:
            raise ValueError("expires: it would expire before it may begin")
        return self

    def asked(self) -> dict[str, Any]:
        """What was asked for, as JSON: the same for the same request, whenever it comes."""
        names = set(TaskOptions.model_fields)
        return self.model_dump(mode="json", include=names, exclude_defaults=True, exclude_none=True)


def begin_us(asked: Mapping[str, Any], now: int) -> int:
    """When a task with the options `asked`, taken at `now`, may begin; 0 where it may at once."""
    if "eta" in asked:
        return to_us(datetime.fromisoformat(asked["eta"]))
    return now + round(asked["countdown"] * _US) if asked.get("countdown") else 0


def end_us(asked: Mapping[str, Any], now: int) -> int | None:
    """When it expires, if ever."""
    expires = asked.get("expires")
    if isinstance(expires, str):
        return to_us(datetime.fromisoformat(expires))
    return None if expires is None else now + round(expires * _US)


def due_us(row: Mapping[str, Any]) -> int:
    """When the task in `row` was due: at the time that it was asked for not to begin before, else when it was
    created. One that ended before that time was due when it was created."""
    created: int = row["created_us"]
    kept, ended = row["options"], row["finished_us"]
    due = kept.get("not_before_us") if isinstance(kept, Mapping) else None
    if not isinstance(due, int) or (ended is not None and ended < due):
        return created
    return max(created, due)


def settle(asked: Mapping[str, Any] | None, now: int) -> dict[str, Any] | None:
    """The options `asked` of a task that was taken at `now`, as the store keeps them: with times instead of
    seconds."""
    if not asked:
        return None
    kept = {name: value for name, value in asked.items() if name not in ("countdown", "eta", "expires")}
    if begin := begin_us(asked, now):
        kept["not_before_us"] = begin
    if (end := end_us(asked, now)) is not None:
        kept["expires_us"] = end
    return kept or None


def is_followed(kept: Mapping[str, Any] | None) -> bool:
    """Whether other tasks wait for this one's end."""
    links = (
        [kept[link] for link in ("callback", "errback") if link in kept] if isinstance(kept, Mapping) else []
    )
    return bool(links) and all(isinstance(link, Mapping) and link.keys() >= FOLLOWER for link in links)


def travelling(kept: Mapping[str, Any] | None) -> Options:
    """The options that travel with the job, of those that the store keeps or the API shows."""
    return Options.model_validate({k: v for k, v in (kept or {}).items() if k in Options.model_fields})


def options_json(kept: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The options of the store as the API shows them: ISO times, and other tasks by their ids."""
    if not kept:
        return None
    shown = {name: kept[name] for name in KEPT if name in kept}
    for name, field in (("not_before", "not_before_us"), ("expires", "expires_us")):
        if field in kept:
            shown[name] = to_iso(kept[field])
    shown |= {name: str(kept[name]["id"]) for name in ("callback", "errback", "after") if name in kept}
    return shown
