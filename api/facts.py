"""Status updates as the store takes them: plain dictionaries, since a model of each costs more than deciding."""

from typing import Annotated, Any, Final, Literal, NotRequired, cast

from pydantic import ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

from lab.clock import from_iso, to_us
from lab.status import Attempt, Error, First, Progress, Run, StatusUpdate, TaskId, Token, Worker

_ISO: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$"


class Fact(TypedDict):
    """A `StatusUpdate` with its status as text and its time in microseconds since the epoch."""

    task_id: str
    status: str
    token: str
    attempt: int
    worker: str
    at: int
    run: str
    first: bool
    progress: NotRequired[float | None]
    error: NotRequired[str | None]
    result: NotRequired[Any]


class _Line(TypedDict):
    """An update as `lab.lines` writes it."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    task_id: TaskId
    status: Literal["PENDING", "IN_PROGRESS", "RETRYING", "DONE", "FAILED", "CANCELLED"]
    token: Token
    attempt: Attempt
    worker: Worker
    at: Annotated[str, Field(pattern=_ISO)]
    run: Run
    first: First
    progress: NotRequired[Progress | None]
    error: NotRequired[Error | None]
    result: NotRequired[Any]


class _Batch(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    updates: list[_Line]


_BATCH: Final = TypeAdapter(_Batch)


def fact_of(update: StatusUpdate) -> Fact:
    """What `update` says."""
    fact = {**vars(update), "status": update.status.value, "at": to_us(update.at)}
    return cast(Fact, fact)


def read(body: bytes, most: int) -> list[Fact] | None:
    """What the updates of a batch say, where they are `most` or fewer and all written as the lab's own workers
    do it; it is what `fact_of` gives for each. None of anything else, right or wrong."""
    if b"\\u0000" in body:  # StatusUpdate replaces it
        return None
    results = False
    try:
        lines = _BATCH.validate_json(body)["updates"]
        for line in lines:
            line["at"] = from_iso(line["at"])  # type: ignore[typeddict-item]
            results = results or "result" in line
    except ValueError:  # pydantic's is one too
        return None
    # pydantic takes these in a result, and they are no JSON.
    if not 0 < len(lines) <= most or (results and (b"NaN" in body or b"Infinity" in body)):
        return None
    return cast(list[Fact], lines)
