"""Samples as they are made of the store's rows, and as they are kept: columns of numbers, compressed."""

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from experiments.model import Sample
from experiments.plan import PlannedJob
from lab.status import TaskStatus

Row = Mapping[str, Any]
_COLUMNS: Final = tuple(Sample.model_fields)


def samples_of(
    jobs: Sequence[PlannedJob],
    begun_us: int,
    nums: Sequence[int],
    tasks: Iterable[Row],
    events: Iterable[Row],
    begins: Mapping[int, int],
    submits: Mapping[int, int],
    *,
    in_request: bool,
) -> list[Sample]:
    """One sample for each of `jobs`, also where it was never sent.

    Args:
        nums: the numbers of their tasks, as far as they were sent.
        tasks: rows of the store: num, status, attempt, worker, created_us, published_us, started_us, finished_us.
        events: entries of their histories, of ends and retries: num, status, recorded_us.
        begins: how often a task was begun, by its number, where that was more than once.
        submits: how long handing over took, by its number, in microseconds, where that is known.
        in_request: whether no broker was between them and their worker.
    """
    rows = {task["num"]: task for task in tasks}
    recorded: dict[int, int] = {}
    retries: Counter[int] = Counter()
    for event in events:
        status = TaskStatus(event["status"])
        if status.final:
            recorded[event["num"]] = event["recorded_us"]
        elif status is TaskStatus.RETRYING:
            retries[event["num"]] += 1
    samples = []
    for index, job in enumerate(jobs):
        due_us = begun_us + round(job.at * 1_000_000)
        row = rows.get(nums[index]) if index < len(nums) else None
        known: dict[str, Any] = {"status": TaskStatus.PENDING.value}
        if row is not None:
            num = row["num"]
            known = {
                "published_us": row["created_us"] if in_request else row["published_us"],
                "started_us": row["started_us"],
                "finished_us": row["finished_us"],
                "recorded_us": recorded.get(num),
                "submit_us": submits.get(num),
                "status": row["status"],
                "worker": row["worker"],
                # An attempt counts deliveries: a message that was only held when its worker died was not begun.
                "attempts": begins.get(num, min(row["attempt"], 1)),
                "retries": retries[num],
            }
        samples.append(Sample.model_construct(index=index, seconds=job.seconds, due_us=due_us, **known))
    return samples


def pack(samples: Sequence[Sample]) -> bytes:
    """`samples` as they are kept: about 20 bytes each."""
    columns = {name: [getattr(sample, name) for sample in samples] for name in _COLUMNS}
    return zlib.compress(json.dumps(columns, separators=(",", ":")).encode(), 6)


def unpack(packed: bytes) -> list[Sample]:
    """What `pack` was given."""
    columns = json.loads(zlib.decompress(packed))
    count = len(columns["index"])
    # What former versions did not measure has no column.
    rows = zip(*(columns.get(name, [None] * count) for name in _COLUMNS), strict=True)
    return [Sample.model_construct(**dict(zip(_COLUMNS, row, strict=True))) for row in rows]
