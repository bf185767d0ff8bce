"""What an upload is, by its content."""

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from PIL import ExifTags, Image
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from lab.jobs.images.containers import WALKS, Layout
from lab.jobs.images.faults import BadImage, reading

# The formats that are taken and given, by Pillow's names.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "GIF": ".gif"}

SIGNATURE_BYTES = 16
_TAKEN = ((b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF87a", "GIF"), (b"GIF89a", "GIF"))
_OTHERS = (
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
    (b"8BPS", "PSD"),
    (b"\0\0\1\0", "ICO"),
    (b"\0\0\2\0", "CUR"),
    (b"%!PS", "EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"%PDF", "PDF"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"qoif", "QOI"),
    (b"DDS ", "DDS"),
    (b"icns", "ICNS"),
)
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC"}

MAX_FRAMES = 1000
MAX_WEBP_SIDE = 16383

_OPENERS: dict[str, type[ImageFile]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "WEBP": WebPImageFile,
    "GIF": GifImageFile,
}
# How a stored picture is turned to be shown, by its EXIF orientation.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = (5, 6, 7, 8)


@dataclass(frozen=True)
class ImageInfo:
    """An image as it is shown: `width` and `height` in pixels count after its EXIF orientation;
    `format` is one of FORMATS, `bytes` the file's size."""

    format: str
    width: int
    height: int
    frames: int
    bytes: int


def inspect(path: Path, max_pixels: int) -> ImageInfo:
    """What `path` is, by its content and never by its name.

    It takes little memory: the file's structure is walked to its end, Pillow reads the headers, and a JPEG
    whose scan can be decoded piece by piece is decoded at an eighth of its size. What only a full decoding
    would find is found by `transform`. A PNG with several frames counts as its first.

    Raises:
        BadImage: it is not one of FORMATS, or damaged, or has more than `max_pixels` pixels, or is in all
            frames together, or is an animation of more than MAX_FRAMES frames.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        image_format, layout = survey(file, max_pixels)
        with reading(image_format), open_image(file, image_format, layout) as image:
            upright = (layout.height, layout.width) if orientation(image) in _ON_ITS_SIDE else None
            if image_format == "JPEG" and layout.scans == 1:
                image.draft("L", (max(1, layout.width // 8), max(1, layout.height // 8)))
                image.load()
    width, height = upright or (layout.width, layout.height)
    return ImageInfo(image_format, width, height, layout.frames, path.stat().st_size)


def survey(file: IO[bytes], max_pixels: int) -> tuple[str, Layout]:
    """The open file's format and layout, which is complete and within the bounds of `inspect`.

    Raises:
        BadImage: it is not.
    """
    head = file.read(SIGNATURE_BYTES)
    if not head:
        raise BadImage("empty", "The file is empty.")
    image_format = taken_format(head)
    if image_format is None:
        other = _other_format(head)
        if other is None:
            raise BadImage("not_an_image", "The file is not an image; PNG, JPEG, WebP and GIF are taken.")
        raise BadImage("format", f"{other} images are not taken; PNG, JPEG, WebP and GIF are.")
    with reading(image_format), mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        layout = WALKS[image_format](data)
    _check(image_format, layout, max_pixels)
    return image_format, layout


def _check(image_format: str, layout: Layout, max_pixels: int) -> None:
    size = f"{layout.width} × {layout.height}"
    pixels = layout.width * layout.height
    if pixels > max_pixels:
        raise BadImage("too_many_pixels", f"The image has {size} pixels; at most {max_pixels} are taken.")
    # The canvas of an animation may be larger, and could be read, but not written.
    if image_format == "WEBP" and max(layout.width, layout.height) > MAX_WEBP_SIDE:
        raise BadImage(
            "too_many_pixels", f"The image has {size} pixels; a side of a WebP has at most {MAX_WEBP_SIDE}."
        )
    if layout.frames > MAX_FRAMES:
        raise BadImage(
            "too_many_frames", f"The animation has {layout.frames} frames; at most {MAX_FRAMES} are taken."
        )
    if pixels * layout.frames > max_pixels:
        raise BadImage(
            "too_many_frames",
            f"The animation has {layout.frames} frames of {size} pixels; "
            f"at most {max_pixels} pixels in all are taken.",
        )


def open_image(file: IO[bytes], image_format: str, layout: Layout) -> ImageFile:
    """The image, opened by its format's own plugin: Image.open would also look at the file's name, warn
    by its own global bound, and take a photo with a second picture in it for another format.

    Raises:
        ValueError: Pillow reads a larger size than `layout` has, which was checked.
        Exception: whatever a broken file makes Pillow raise; see `reading`.
    """
    file.seek(0)
    image = _OPENERS[image_format](file)
    if image.width > layout.width or image.height > layout.height:
        raise ValueError("sizes contradict each other")
    if layout.exif is not None:
        image.info.setdefault("exif", layout.exif)
    return image


def orientation(image: ImageFile) -> int:
    """The image's EXIF orientation, 1 to 8; 1 where its EXIF is missing or broken."""
    try:
        with reading("EXIF"):
            # PNG's own getexif would decode the picture first.
            value = Image.Image.getexif(image).get(ExifTags.Base.Orientation)
    except BadImage:
        return 1
    return value if value in UPRIGHT else 1


def taken_format(head: bytes) -> str | None:
    """Which of FORMATS a file with these first SIGNATURE_BYTES bytes claims to be."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return next((name for signature, name in _TAKEN if head.startswith(signature)), None)


def _other_format(head: bytes) -> str | None:
    """The name of the image format that is known but not taken, from the file's first bytes."""
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12])
    return next((name for signature, name in _OTHERS if head.startswith(signature)), None)
