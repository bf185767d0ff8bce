"""Updates on their way to the API, and who waits for the answer."""

from collections.abc import Callable, Sequence

from lab.lines import Line
from lab.status import Verdict


class Waiting:
    """Updates whose sender waits for the verdicts, until `deadline` (monotonic seconds); None where there were
    none in time."""

    __slots__ = ("_on_answer", "answered", "deadline", "lines")

    def __init__(
        self, lines: Sequence[Line], deadline: float, on_answer: Callable[[list[Verdict] | None], object]
    ) -> None:
        self.lines = lines
        self.deadline = deadline
        self.answered = False
        self._on_answer = on_answer

    def answer(self, verdicts: list[Verdict] | None) -> None:
        self.answered = True
        self._on_answer(verdicts)
