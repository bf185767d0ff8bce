"""`python -m harness up`: runs the lab on this machine until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import sys

from harness.stopping import StopRequest


def main() -> int:
    """Read the command line, run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m harness", description="Runs the lab on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="the whole lab in the foreground; Ctrl-C ends all of it")
    parser.parse_args()
    stop = StopRequest()
    stop.listen()
    # Imported only now: a Ctrl-C while Python loads is a wish to end, no traceback.
    from harness.up import up

    return up(os.environ, stop)


if __name__ == "__main__":
    sys.exit(main())
