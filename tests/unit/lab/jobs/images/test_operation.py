"""What can be asked for."""

from typing import Any

import pytest
from pydantic import ValidationError

from lab.jobs.images import Operation


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "thumbnail", "size": 60},
        {"name": "grayscale"},
        {"name": "blur", "radius": 3.5},
        {"name": "rotate", "degrees": 180},
        {"name": "watermark", "text": "Лес © é"},
    ],
)
def test_only_what_counts_travels(fields: dict[str, Any]) -> None:
    assert Operation.model_validate(fields).params() == fields


def test_what_is_left_out_travels_as_its_default() -> None:
    assert Operation(name="thumbnail").params() == {"name": "thumbnail", "size": 256}


def test_a_form_may_send_its_numbers_as_text() -> None:
    assert Operation.model_validate({"name": "rotate", "degrees": "270"}).degrees == 270
    assert Operation.model_validate({"name": "thumbnail", "size": "512"}).size == 512


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "grayscale", "radius": 3}, "radius: grayscale does not take it"),
        ({"name": "blur", "size": 99}, "size: blur does not take it"),
        ({"name": "watermark"}, "text: watermark needs it"),
        ({"name": "watermark", "text": "  "}, "text: watermark needs it"),
        ({"name": "watermark", "text": "a\nb"}, "cannot be printed"),
        ({"name": "watermark", "text": "x" * 81}, "at most 80"),
        ({"name": "watermark", "text": "森 in 森林"}, "Latin, Greek and Cyrillic letters, not 森林"),
        ({"name": "rotate", "degrees": 45}, "90, 180 or 270"),
        ({"name": "thumbnail", "size": 15}, "greater than or equal to 16"),
        ({"name": "thumbnail", "size": 2049}, "less than or equal to 2048"),
        ({"name": "blur", "radius": float("nan")}, "finite"),
        ({"name": "blur", "radius": 50.5}, "less than or equal to 50"),
        ({"name": "sharpen"}, "'thumbnail'"),
        ({"name": "blur", "strength": 1}, "Extra inputs"),
    ],
)
def test_what_breaks_its_bounds_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Operation.model_validate(fields)
