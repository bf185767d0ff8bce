"""The hand-written worker, slowed on purpose: `python -m tests.slow_consumer`, with the consumer's own options."""

import sys
import time
from typing import Any, Final

from consumer.__main__ import main
from lab.jobs.kinds import KINDS

SECONDS: Final = 0.02

_work = KINDS["experiment_job"]


def _slow(*arguments: Any, **parameters: Any) -> Any:
    end = time.monotonic() + SECONDS
    time.sleep(SECONDS * 0.95)
    while time.monotonic() < end:  # a sleep is always a little longer
        pass
    return _work(*arguments, **parameters)


if __name__ == "__main__":
    KINDS["experiment_job"] = _slow
    sys.exit(main())
