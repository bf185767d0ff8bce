"""The text that is written on an image."""

from functools import lru_cache
from importlib.resources import files

from PIL import Image, ImageDraw, ImageFont

# Shares of the image's width: a line of text is as high as 1/20, and at most 17/20 long.
_HEIGHT = 1 / 20
_LENGTH = 17 / 20
_SMALLEST = 12
_NOT_A_CHARACTER = "\U0010ffff"
_WHITE = {"L": (255,), "LA": (255, 255), "RGB": (255, 255, 255), "RGBA": (255, 255, 255, 255)}
_BLACK = {"L": (0,), "LA": (0, 255), "RGB": (0, 0, 0), "RGBA": (0, 0, 0, 255)}


@lru_cache(maxsize=1)
def _font_file() -> str:
    return str(files("ttf_opensans").joinpath("ttf", "OpenSans-SemiBold.ttf"))


def _font(size: float) -> ImageFont.FreeTypeFont:
    # The basic layout is the same on every machine; the other depends on a library of the system.
    return ImageFont.truetype(_font_file(), size, layout_engine=ImageFont.Layout.BASIC)


def undrawable(text: str) -> str:
    """The characters of `text`, each once, that the font (Open Sans: Latin, Greek, Cyrillic) has not."""
    font = _font(40)
    blank = bytes(font.getmask(_NOT_A_CHARACTER))
    return "".join(sign for sign in dict.fromkeys(text) if bytes(font.getmask(sign)) == blank)


def write(image: Image.Image, text: str) -> Image.Image:
    """A copy of `image` (L, LA, RGB or RGBA) with `text` at the bottom right, white with a dark outline."""
    written = image.copy()
    length = _font(100).getlength(text) / 100
    size = min(max(image.width * _HEIGHT, _SMALLEST), image.width * _LENGTH / length, image.height / 2)
    size = max(size, 1)
    outline = max(1, round(size / 12))
    corner = (image.width - outline - size / 2, image.height - outline - size / 4)
    ImageDraw.Draw(written).text(
        corner,
        text,
        fill=_WHITE[image.mode],
        font=_font(size),
        anchor="rd",
        stroke_width=outline,
        stroke_fill=_BLACK[image.mode],
    )
    return written
