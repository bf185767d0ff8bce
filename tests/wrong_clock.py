"""The hand-written worker by a clock that is wrong by LAB_TEST_CLOCK seconds: `python -m tests.wrong_clock`, with the
consumer's own options."""

import os
import sys
import time

_right = time.time_ns
_off_ns = round(float(os.environ["LAB_TEST_CLOCK"]) * 1e9)

if __name__ == "__main__":
    time.time_ns = lambda: _right() + _off_ns

    from consumer.__main__ import main

    sys.exit(main())
