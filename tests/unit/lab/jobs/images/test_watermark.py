"""The text on real pixels."""

import pytest
from PIL import Image, ImageChops

from lab.jobs.images.watermark import undrawable, write


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
@pytest.mark.parametrize("ground", [0, 128, 255])
def test_it_can_be_read_at_the_bottom_right_on_every_ground(mode: str, ground: int) -> None:
    source = Image.new("L", (400, 300), ground).convert(mode)
    written = write(source, "Привет, Transport Lab")
    assert written.mode == mode
    changed = ImageChops.difference(written.convert("L"), source.convert("L")).getbbox()
    assert changed is not None
    left, top, right, bottom = changed
    assert 200 < right - left < 400
    assert left > 40
    assert top > 240
    assert right < 400
    assert bottom < 300
    assert written.convert("L").crop(changed).getextrema() == (0, 255)


def test_it_grows_with_the_image() -> None:
    heights = []
    for width in (800, 1600, 3200):
        box = write(Image.new("L", (width, 600), 90), "Lab").point(lambda grey: grey != 90).getbbox()
        assert box is not None
        heights.append(box[3] - box[1])
    assert heights[0] * 1.8 < heights[1] < heights[2] / 1.8


@pytest.mark.parametrize("size", [(100, 60), (16, 16), (3, 1), (2000, 8)])
def test_a_long_text_fits_a_small_image(size: tuple[int, int]) -> None:
    assert write(Image.new("RGB", size), "W" * 80).size == size


def test_letters_of_europe_can_be_drawn_and_others_are_named() -> None:
    assert undrawable("Ёлка Їжак ß é ő ş Ω € © № «—» 12") == ""
    assert undrawable("a森林森ع🎄") == "森林ع🎄"
