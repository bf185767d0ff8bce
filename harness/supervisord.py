"""supervisord whose logs stand a full disk: a script with its options.

Its own would end it: a line that cannot be written is told to standard error, which lies on the same disk.
"""

from typing import Any

from supervisor import loggers, supervisord


class DroppingHandler(loggers.RotatingFileHandler):  # type: ignore[misc]
    """A log that drops what it cannot write, and goes on when there is room again."""

    stream: Any

    def emit(self, record: Any) -> None:
        try:
            if self.stream.closed:  # a new file could not be begun
                self.stream = open(self.baseFilename, self.mode)  # noqa: SIM115
            super().emit(record)
        except (OSError, ValueError):
            return

    def handleError(self) -> None:  # noqa: N802
        """Tells nobody."""


if __name__ == "__main__":
    loggers.RotatingFileHandler = DroppingHandler
    supervisord.main()
