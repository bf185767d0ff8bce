"""What is to be done to an image, as it is asked for and as it travels."""

import unicodedata
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from lab.jobs.images.watermark import undrawable

MAX_TEXT = 80
# The one field beside `name` that each operation takes.
TAKES: dict[str, str | None] = {
    "thumbnail": "size",
    "grayscale": None,
    "blur": "radius",
    "rotate": "degrees",
    "watermark": "text",
}


def _number(value: object) -> object:
    # A form sends digits, and Literal does not turn text into numbers as int does.
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else value


class Operation(BaseModel):
    """One operation: a thumbnail `size` pixels on its longer side, grayscale, a Gaussian blur of `radius`
    pixels, a turn clockwise by `degrees`, or `text` as a watermark."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["thumbnail", "grayscale", "blur", "rotate", "watermark"]
    size: Annotated[int, Field(ge=16, le=2048, description="thumbnail: pixels of the longer side")] = 256
    radius: Annotated[float, Field(ge=0.5, le=50, allow_inf_nan=False, description="blur: pixels")] = 4.0
    degrees: Annotated[
        Literal[90, 180, 270], BeforeValidator(_number), Field(description="rotate: clockwise")
    ] = 90
    text: Annotated[str, Field(max_length=MAX_TEXT, description="watermark: what is written")] = ""

    @field_validator("text")
    @classmethod
    def _can_be_written(cls, text: str) -> str:
        # Composed, since the font draws an accent that stands alone beside its letter.
        text = unicodedata.normalize("NFC", text).strip()
        if not text.isprintable():
            raise ValueError("has characters that cannot be printed")
        if missing := undrawable(text):
            raise ValueError(f"the font has Latin, Greek and Cyrillic letters, not {missing}")
        return text

    @model_validator(mode="after")
    def _takes_only_what_counts(self) -> Self:
        for field in sorted(self.model_fields_set - {"name", TAKES[self.name]}):
            raise ValueError(f"{field}: {self.name} does not take it")
        if self.name == "watermark" and not self.text:
            raise ValueError("text: watermark needs it")
        return self

    def params(self) -> dict[str, Any]:
        """What travels as JSON: the name and the field that counts."""
        return self.model_dump(include={"name", *filter(None, [TAKES[self.name]])})
