"""When to try again: exponential backoff with jitter.

https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

import random
from typing import Final

FIRST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 64.0


def tier(retries: int) -> int:
    """The longest wait before retry number `retries` (from 0), in whole seconds: 1, 2, 4, … 64."""
    return int(min(FIRST_SECONDS * 2**retries, LONGEST_SECONDS))


def delay(retries: int) -> float:
    """Seconds to wait before retry number `retries` (from 0): half to all of its tier, by chance."""
    return tier(retries) * random.uniform(0.5, 1.0)
