"""Cancelling, sending again and deleting many tasks at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from api.services import services
from api.web.schemas import Invalid
from lab.status import TaskStatus
from store.bulk import BATCH, BulkRows
from store.tasks import Query

MOST: Final = 10_000

Act = Literal["cancel", "retry", "delete"]
ACTS: Final = get_args(Act)
UNDO: Final[dict[str, Act]] = {"cancel": "retry", "retry": "cancel"}
"""What takes an act back, where anything does."""


@dataclass(frozen=True)
class BulkOutcome:
    """What became of an act: how many tasks it was asked for, and of how many it was done.

    Attributes:
        nums: the tasks to which `UNDO` is to be done to take it back: those that were cancelled, or the new ones.
    """

    matched: int
    done: int
    nums: list[int]

    @property
    def refused(self) -> int:
        """How many do not allow it."""
        return self.matched - self.done


def matching(query: Query, through: int | None = None) -> list[int]:
    """The numbers of the tasks that `query` fits, up to number `through`.

    Raises:
        Invalid: they are more than one request may act on.
    """
    nums = services().store.matching(replace(query, through_num=through), MOST + 1)
    if len(nums) > MOST:
        message = f"one request acts on {MOST:,} tasks at most, and more than that fit: choose fewer of them"
        raise Invalid([{"field": "body", "message": message, "code": "too_many", "bound": MOST}])
    return nums


def run(act: Act, nums: Sequence[int]) -> BulkOutcome:
    """Does `act` to the tasks with these numbers, in batches that count each by itself: where the lab stops in
    between, the same request again does the rest."""
    rows, submitter = BulkRows(services().store), services().submitter
    done, touched = 0, []
    for start in range(0, len(nums), BATCH):
        batch = nums[start : start + BATCH]
        if act == "delete":
            done += rows.delete(batch)
            continue
        if act == "retry":
            found = submitter.retry_all(batch)
        else:
            answers = submitter.cancel_all(rows.ids(batch))
            # One that ended by itself after it was asked for has ended all the same.
            found = [
                one.row["num"]
                for one in answers.values()
                if not one.before.final and one.row["status"] not in (TaskStatus.DONE, TaskStatus.FAILED)
            ]
        done += len(found)
        touched += found
    return BulkOutcome(len(nums), done, touched)
