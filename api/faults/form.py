"""The form of a fault run, as it was typed and as it is meant."""

from dataclasses import dataclass, field
from typing import Final

from werkzeug.datastructures import MultiDict

from api.faults.schemas import FaultRequest
from api.web.forms import Form, parse, sentences
from api.web.i18n import local, number
from api.web.numbers import typed
from api.web.schemas import Invalid
from api.web.wording import gettext
from faults.cards import Card
from faults.document import ARMS, FaultDocument, FaultPlan

GUESSES: Final = ("lost", "doubled")


@dataclass
class FaultForm(Form):
    """The form of a card; untyped it holds the card's own values."""

    card: Card = field(kw_only=True)

    def value(self, name: str, default: str = "") -> str:
        """As a form's, without spaces around it."""
        return super().value(name, default).strip()[:100]

    def at_first(self, name: str) -> str:
        """The card's value of the field `name`."""
        return {
            "jobs": str(self.card.jobs),
            "seconds": local(f"{self.card.seconds:g}"),
            "seed": "1",
            "strength": local(f"{self.card.strength.default:g}"),
        }.get(name, "")

    def arms(self) -> list[str]:
        """The chosen contenders."""
        return [arm for arm in ARMS if self.typed is None or arm in self.typed.getlist("arm")]

    def plan(self) -> FaultPlan | None:
        """What is meant; None, with `errors` saying at each field why, where it cannot be."""
        asked: dict[str, object] = {"card": self.card.name, "prediction": self._prediction()}
        asked["arms"] = [
            dict(zip(("method", "delivery"), arm.split(":"), strict=True)) for arm in self.arms()
        ]
        asked |= {name: typed(self.value(name), whole=True) for name in ("jobs", "seed")}
        asked |= {name: typed(self.value(name)) for name in ("seconds", "strength")}
        try:
            return parse(FaultRequest, {name: value for name, value in asked.items() if value != ""}).plan()
        except Invalid as error:
            self.refuse(error, self._says(), arms="arm")
            return None

    def _prediction(self) -> dict[str, dict[str, int | float | str]]:
        """What was predicted of each chosen contender; one of two numbers stands for a zero beside it."""
        guessed = {arm: {guess: self.value(f"{guess}.{arm}") for guess in GUESSES} for arm in self.arms()}
        return {
            arm: {guess: typed(text or "0", whole=True) for guess, text in guesses.items()}
            for arm, guesses in guessed.items()
            if any(guesses.values())
        }

    def _says(self) -> dict[str, str]:
        bounds = self.card.strength
        least, most = number(bounds.least), number(bounds.most)
        return {
            **sentences(FaultRequest),
            "arm": gettext("Choose at least one contender."),
            "arms": gettext("Choose at least one contender."),
            "strength": gettext("A number from %(least)s to %(most)s.", least=least, most=most),
            "prediction": gettext("Whole numbers of jobs, or nothing."),
        }


def typed_of(run: FaultDocument) -> MultiDict[str, str]:
    """A run as the form that makes it again, without what was predicted."""
    typed: MultiDict[str, str] = MultiDict(
        {name: local(f"{getattr(run, name):g}") for name in ("jobs", "seconds", "seed", "strength")}
    )
    typed.setlist("arm", list(run.arms))
    return typed
