"""What a task may ask for beside its job: when it runs, how urgent it is, how it is tried again."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from lab.clock import FIRST_US, LAST_US
from lab.jobs.backoff import RetryPolicy

MAX_COUNTDOWN: Final = 30 * 86_400.0
MAX_PRIORITY: Final = 9

_Us = Annotated[int, Field(ge=FIRST_US, lt=LAST_US)]


class Options(BaseModel):
    """Options as they travel with a job. Times are microseconds since the epoch, by the API's clock.

    Attributes:
        not_before_us: no worker begins it earlier.
        expires_us: no worker begins it later; the task ends CANCELLED instead.
        priority: 0 to 9, 9 first; None goes through the ordinary queue.
        retry: how long it waits before it is tried again; None is the lab's own backoff.
        keep_result: Celery keeps progress and result in its result backend.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    not_before_us: _Us | None = None
    expires_us: _Us | None = None
    priority: Annotated[int, Field(ge=0, le=MAX_PRIORITY)] | None = None
    retry: RetryPolicy | None = None
    keep_result: bool = False

    def seconds_left(self, now_us: int) -> float:
        """Seconds until the job may begin; 0.0 where it may at once."""
        return max(0, (self.not_before_us or 0) - now_us) / 1e6

    def expired(self, now_us: int) -> bool:
        """Whether the job may not begin any more."""
        return self.expires_us is not None and now_us > self.expires_us


NONE: Final = Options()
