"""A set that forgets."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

MOST: Final = 100_000


class Recent:
    """The ids that were added last, `most` of them. Threads may share one, by the interpreter's lock."""

    def __init__(self, most: int = MOST) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._most = most

    def add(self, name: str) -> None:
        """Takes `name` in; the oldest goes where there are too many."""
        self._ids[name] = None
        if len(self._ids) > self._most:
            self._ids.popitem(last=False)

    def update(self, names: Iterable[str]) -> None:
        """Takes all of `names` in."""
        for name in names:
            self.add(name)

    def __contains__(self, name: str) -> bool:
        return name in self._ids
