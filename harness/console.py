"""What a person at the terminal reads."""

from __future__ import annotations

import contextlib
import os
import sys

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"


def say(text: str, style: str = "") -> None:
    """Print a line at once, coloured on a terminal only (NO_COLOR, https://no-color.org, is honoured).

    A terminal that was closed, or a reader that went away, must not stop the lab from ending in order,
    so that is not an error.
    """
    if style and sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        text = f"\033[{style}m{text}\033[0m"
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), f"{text}\n".encode())


def indented(text: str) -> str:
    """`text` with four blanks before each line."""
    return "\n".join(f"    {line}" for line in text.splitlines())
