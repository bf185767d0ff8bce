"""What each contender is called, by its method and its mode of delivery."""

from collections.abc import Mapping
from typing import Final


def N_(text: str) -> str:  # noqa: N802 - the name by which Babel finds it
    """Marks `text` for translation; it is translated when it is shown."""
    return text


LABELS: Final[Mapping[tuple[str, str], str]] = {
    ("celery", "naive"): N_("Celery, as it comes"),
    ("celery", "safe"): N_("Celery, safe"),
    ("rabbitmq", "naive"): N_("RabbitMQ, by the tutorial"),
    ("rabbitmq", "safe"): N_("RabbitMQ, safe"),
    ("sync", "naive"): N_("Sync"),
    ("sync", "safe"): N_("Sync"),
}
"""English; `sync` has no broker, and the mode of delivery means nothing to it."""


def label_of(method: str, delivery: str) -> str:
    """What the contender is called.

    Raises:
        KeyError: there is no such method or mode.
    """
    return LABELS[method, delivery]
