"""The fault lab on the command line: `python -m faults`."""

import sys

from faults.cli import main

if __name__ == "__main__":
    sys.exit(main())
