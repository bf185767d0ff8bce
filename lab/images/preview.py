"""A small picture of a picture, for galleries."""

from pathlib import Path
from typing import Final

from PIL import Image

SIDE: Final = 360


def preview(source: Path, target: Path) -> None:
    """Writes a WebP image, at most 360 pixels wide and high, of `source`'s first frame to `target`.

    Raises:
        OSError: `source` cannot be read to its end.
    """
    with Image.open(source) as image:
        image.draft("RGB", (SIDE, SIDE))
        small = image.convert("RGBA" if image.has_transparency_data else "RGB")
    small.thumbnail((SIDE, SIDE))
    small.save(target, "WEBP", quality=80)
