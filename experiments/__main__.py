"""Runs experiments from the command line: `python -m experiments run`."""

import signal
import sys

from experiments.cli import main

if __name__ == "__main__":
    # A run that is ended cancels its experiment and ends its own lab, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
