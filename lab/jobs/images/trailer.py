"""Files that are complete but for their trailer, which only says that nothing follows: all pixels are there."""

import hashlib
import os
import random
from pathlib import Path
from typing import IO, Final

from lab.jobs.images.faults import BadImage, reading
from lab.jobs.images.inspection import SIGNATURE_BYTES, ImageInfo, inspect, open_image, survey, taken_format

_TRAILERS: Final = {"PNG": b"\0\0\0\0IEND\xaeB`\x82", "JPEG": b"\xff\xd9", "GIF": b";"}
_BAND: Final = 256


def complete(path: Path, max_pixels: int) -> ImageInfo:
    """Adds the trailer that the file `path` lacks, wholly or in part, and decodes all of it.

    libjpeg takes a scan that is cut short for whole. So a JPEG is also decoded with other bits behind its scan:
    only a scan that was whole decodes to the same pixels. A JPEG of several scans is not taken, since nothing
    says how many there were.

    Raises:
        BadImage: the file lacks more than its trailer, and is left as it was; or as `inspect`.
        OSError: the file cannot be read or written.
    """
    with path.open("r+b") as file:
        image_format = taken_format(file.read(SIGNATURE_BYTES)) or ""
        trailer = _TRAILERS.get(image_format, b"")
        size = file.seek(0, os.SEEK_END)
        for begun in range(len(trailer)):
            end = size - begun
            file.seek(end - 1)
            before, tail = file.read(1), file.read()
            # A JPEG's scan cannot end with 0xFF: that is the marker's first byte, or one whose second is missing.
            if tail != trailer[:begun] or (image_format == "JPEG" and before == b"\xff"):
                continue
            try:
                _write(file, end, trailer)
                info = inspect(path, max_pixels)
                decoded = set()
                for noise in (*_NOISES, b"") if image_format == "JPEG" else (b"",):
                    _write(file, end, noise + trailer)
                    decoded.add(_pixels(file, max_pixels))
                if len(decoded) == 1:
                    return info
            except BadImage as error:
                if error.code != "truncated":
                    raise
            _write(file, end, trailer[:begun])
    raise BadImage("truncated", f"The {image_format} file is damaged or cut short.")


def _write(file: IO[bytes], at: int, tail: bytes) -> None:
    file.seek(at)
    file.write(tail)
    file.truncate()
    file.flush()


def _noise(seed: int) -> bytes:
    """What a decoder whose scan was cut short would go on with, also where it waits for a restart marker."""
    bits = random.Random(seed).randbytes(64).replace(b"\xff", b"")
    return bits + b"".join(bytes([0xFF, 0xD0 + n]) + bits for n in range(8))


# One alone may happen to change nothing that is seen.
_NOISES: Final = tuple(_noise(seed) for seed in range(4))


def _pixels(file: IO[bytes], max_pixels: int) -> str:
    """A digest of all pixels of all frames."""
    digest = hashlib.blake2b()
    file.seek(0)
    image_format, layout = survey(file, max_pixels)
    with reading(image_format):
        if layout.scans != 1:
            raise ValueError("several scans")
        image = open_image(file, image_format, layout)
        for number in range(layout.frames):
            image.seek(number)
            image.load()
            for top in range(0, image.height, _BAND):
                bottom = min(image.height, top + _BAND)
                digest.update(image.crop((0, top, image.width, bottom)).tobytes())
    return digest.hexdigest()
