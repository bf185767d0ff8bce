"""Which messages of a channel may be acknowledged, gathered into as few acknowledgements as possible.

https://www.rabbitmq.com/docs/confirms#consumer-acks-multiple-parameter
"""

from collections import deque


class Acks:
    """Delivery tags of one channel, in the order in which they came. Used from one thread."""

    def __init__(self) -> None:
        self._order: deque[int] = deque()
        self._open: set[int] = set()
        self._done: set[int] = set()

    def add(self, tag: int) -> None:
        """A message came."""
        self._order.append(tag)
        self._open.add(tag)

    def drop(self, tag: int) -> None:
        """It was rejected."""
        self._open.discard(tag)

    def done(self, tag: int) -> None:
        """It may be acknowledged."""
        self._open.discard(tag)
        self._done.add(tag)

    def take(self) -> list[tuple[int, bool]]:
        """The tags to acknowledge now, each alone or with all before it (`multiple`)."""
        last, count = 0, 0
        while self._order and self._order[0] not in self._open:
            tag = self._order.popleft()
            if tag in self._done:
                self._done.remove(tag)
                last, count = tag, count + 1
        found = [(last, count > 1)] if count else []
        # Behind one that takes longer: they are not to wait for it.
        found += [(tag, False) for tag in sorted(self._done)]
        self._done.clear()
        return found

    def __len__(self) -> int:
        """How many messages are neither done nor dropped."""
        return len(self._open)
