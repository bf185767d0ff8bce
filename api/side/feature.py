"""A row of the page."""

from dataclasses import dataclass
from typing import Final

from api.side.stage import Act
from transports.methods import CELERY, QUEUES

METHODS: Final = tuple(QUEUES)


@dataclass(frozen=True)
class Side:
    """How one method does it.

    Attributes:
        code: where it stands, as `api.side.source.excerpts` takes it; nothing where it is not done.
        objects: what it needs at the broker, as `transports.topology.declared` names it.
        gives: what it guarantees and what not, in English.
    """

    code: tuple[str, ...]
    objects: tuple[str, ...]
    gives: str


@dataclass(frozen=True)
class Feature:
    """One feature on both sides. Texts are English, marked for translation where they are written.

    Attributes:
        id: its anchor, such as `retry-backoff`.
        about: what it does.
        shows: what *Run both* does.
    """

    id: str
    title: str
    about: str
    shows: str
    celery: Side
    rabbitmq: Side
    act: Act

    def side(self, method: str) -> Side:
        """The side of `method`."""
        return self.celery if method == CELERY.name else self.rabbitmq

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that do it."""
        return tuple(method for method in METHODS if self.side(method).code)


def N_(text: str) -> str:  # noqa: N802 - the name by which Babel finds it
    """Marks `text` for translation; it is translated when it is shown."""
    return text
