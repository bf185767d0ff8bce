"""The two ways in which either transport can be set up."""

from enum import StrEnum


class Delivery(StrEnum):
    """How carefully messages are handled.

    SAFE: acknowledged late, confirmed, on quorum queues with a delivery limit and dead letters.
    NAIVE: as the tutorials do it: acknowledged on arrival, published without asking, on classic queues.
    """

    SAFE = "safe"
    NAIVE = "naive"

    def queue(self, name: str) -> str:
        """The queue of this mode beside the safe queue `name`."""
        return name if self is Delivery.SAFE else f"{name}.naive"
