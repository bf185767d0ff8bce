"""When to try again: by default exponential backoff with jitter, or as a task asks for.

https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

import random
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

FIRST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 64.0
MAX_WAIT: Final = 86_400.0
MAX_BASE: Final = 3_600.0

Wait = Annotated[float, Field(ge=0, le=MAX_WAIT, allow_inf_nan=False)]


class _Policy(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Fixed(_Policy):
    """`delay` seconds before each retry."""

    policy: Literal["fixed"]
    delay: Annotated[Wait, Field(description="seconds")]

    def longest(self, retries: int) -> float:  # noqa: ARG002 - as the other policy has it
        """The longest wait before retry number `retries` (from 0), in seconds."""
        return self.delay

    def delay_of(self, retries: int) -> float:
        """Seconds to wait before retry number `retries` (from 0)."""
        return self.longest(retries)


class Exponential(_Policy):
    """`base` seconds before the first retry and twice as many before each further one, up to `cap`; with
    `jitter` any number from zero to that, by chance. The defaults are those of Celery's `retry_backoff=True`.

    https://docs.celeryq.dev/en/stable/userguide/tasks.html#Task.retry_backoff
    """

    policy: Literal["exponential"]
    base: Annotated[float, Field(gt=0, le=MAX_BASE, allow_inf_nan=False, description="seconds")] = 1.0
    cap: Annotated[float, Field(gt=0, le=MAX_WAIT, allow_inf_nan=False, description="seconds")] = 600.0
    jitter: bool = True

    def longest(self, retries: int) -> float:
        """The longest wait before retry number `retries` (from 0), in seconds."""
        return min(self.base * 2.0**retries, self.cap)

    def delay_of(self, retries: int) -> float:
        """Seconds to wait before retry number `retries` (from 0)."""
        longest = self.longest(retries)
        return random.uniform(0.0, longest) if self.jitter else longest


RetryPolicy = Annotated[Fixed | Exponential, Field(discriminator="policy")]


def tier(retries: int) -> int:
    """The longest wait before retry number `retries` (from 0) by default, in whole seconds: 1, 2, 4, … 64."""
    return int(min(FIRST_SECONDS * 2**retries, LONGEST_SECONDS))


def delay(retries: int, policy: RetryPolicy | None = None) -> float:
    """Seconds to wait before retry number `retries` (from 0): as `policy` says; without one half to all of
    the tier, by chance."""
    return tier(retries) * random.uniform(0.5, 1.0) if policy is None else policy.delay_of(retries)


def longest(retries: int, policy: RetryPolicy | None = None) -> float:
    """The longest that `delay` may be, in seconds."""
    return tier(retries) if policy is None else policy.longest(retries)
