"""A question of the decision guide."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        weights: what it means for each method.
        reason: why, in a sentence; "" where it says nothing for or against any of them.
        row: the row of *Side by side* that shows it.
        rules_out: the methods with which it cannot be done.
        needs: the bound that the reader's own runs are held against.
    """

    id: str
    text: str
    weights: dict[str, int] = field(default_factory=dict)
    reason: str = ""
    row: str = ""
    rules_out: frozenset[str] = frozenset()
    needs: float | None = None


@dataclass(frozen=True)
class Question:
    """A question with its answers. `figure` is what the reader's own runs tell about it, where they can."""

    id: str
    text: str
    answers: tuple[Answer, ...]
    figure: str = ""

    def answer(self, answer_id: str) -> Answer | None:
        """The answer of that id; None where there is none."""
        return next((answer for answer in self.answers if answer.id == answer_id), None)
