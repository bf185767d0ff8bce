"""The form of the page of images, as it was typed and as it is meant."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from api.images import wording
from api.schemas import faults
from api.wording import gettext
from lab.images import Operation
from lab.images.operation import TAKES


@dataclass
class ImageForm:
    """A form as it was typed, what is wrong with each of its fields, and `refused`: names of files that
    were not taken, each with the reason."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)

    def value(self, name: str, default: str) -> str:
        """What was typed into the field `name`, or `default`."""
        return self.values.get(name, default)[:1000]

    def operation(self) -> Operation | None:
        """The operation that is meant, or None with `errors` saying why there is none. Of the fields only
        the one that belongs to the operation counts."""
        name = self.values.get("operation", "")
        meant: dict[str, Any] = {"name": name}
        if takes := TAKES.get(name):
            text = self.values.get(takes, "").strip()
            meant[takes] = text.replace(",", ".") if takes == "radius" else text
        try:
            return Operation.model_validate(meant)
        except ValidationError as error:
            for fault in faults(error):
                known = wording.faults().get(fault["field"])
                self.errors[fault["field"] if known else "form"] = known or gettext("Choose what to do.")
        return None
