"""Files that are not taken."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from PIL.Image import DecompressionBombError

Code = Literal["empty", "not_an_image", "format", "truncated", "too_many_pixels", "too_many_frames"]

# What Pillow and the parsers here raise on broken files. Not simply Exception: a time limit or a
# cancellation may interrupt the reading, and is no fault of the file.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    EOFError,
    AssertionError,
    RuntimeError,
    Warning,
    struct.error,
    zlib.error,
)


class BadImage(ValueError):
    """A file that is not taken. `code` says why in one word, the message in a sentence:
    `empty`; `not_an_image`; `format`, an image of another format; `truncated`, cut short or damaged
    otherwise; `too_many_pixels`; `too_many_frames`."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code: Code = code


@contextmanager
def reading(image_format: str) -> Iterator[None]:
    """Whatever a broken file makes Pillow raise in this block becomes BadImage."""
    try:
        yield
    except BadImage:
        raise
    except DecompressionBombError as error:
        raise BadImage("too_many_pixels", "The image has more pixels than Pillow opens.") from error
    except MemoryError as error:
        raise BadImage("too_many_pixels", "The image takes more memory than there is.") from error
    except _BROKEN as error:
        raise BadImage("truncated", f"The {image_format} file is damaged or cut short.") from error
