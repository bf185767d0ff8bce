"""A file to find things in."""

from collections.abc import Callable

LIMITS = {
    "short": 1,  # seconds
    "long": [
        2,
    ],
}


def call(function: Callable[..., object], **options: object) -> None:
    """Calls it."""
    # A comment.
    function(**options)


def decorated(function: Callable[..., object]) -> Callable[..., object]:
    return function


class Box:
    """Holds something."""

    lid: int = 0

    @decorated
    def open(self, what: object) -> str:
        """Opens it.

        And says so.
        """
        try:
            call(
                print,
                end="",
            )
        except ValueError:
            return "no value"
        match what:
            case "open":
                return "open"
        if callable(what):
            return "a function"
        self.seen = {}
        self.seen["twice"] = True
        return """two
lines"""
