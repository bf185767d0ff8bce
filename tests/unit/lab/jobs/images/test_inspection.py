"""Real files, good and bad: what counts as an image, and what is refused."""

import struct
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from PIL import Image, ImageFile

from lab.jobs.images import FORMATS, BadImage, ImageInfo, inspect
from tests import pictures
from tests.pictures import file_with

MAX = 50_000_000
ROOT = Path(__file__).resolve().parents[5]
MODES = pictures.in_modes()
by_format = pytest.mark.parametrize("image_format", FORMATS)


def refusal(content: bytes, folder: Path, max_pixels: int = MAX) -> BadImage:
    with pytest.raises(BadImage) as caught:
        inspect(file_with(content, folder), max_pixels)
    return caught.value


@by_format
def test_a_file_is_what_its_content_says(image_format: str, tmp_path: Path) -> None:
    content = pictures.encode(pictures.corners(), image_format)
    for name in ("photo.psd", "a.png", "b.jpg", "page.html", "none"):
        info = inspect(file_with(content, tmp_path, name), MAX)
        assert info == ImageInfo(image_format, 120, 80, 1, len(content))


@pytest.mark.parametrize("name", MODES)
def test_every_kind_of_pixel_is_taken(name: str, tmp_path: Path) -> None:
    info = inspect(file_with(MODES[name], tmp_path), MAX)
    assert (info.format, info.width, info.height) == (name.split()[0], 120, 80)


@pytest.mark.parametrize("image_format", ["GIF", "WEBP"])
def test_frames_are_counted(image_format: str, tmp_path: Path) -> None:
    assert inspect(file_with(pictures.animation(image_format, 7), tmp_path), MAX).frames == 7


def test_a_photo_with_a_second_picture_in_it_is_a_jpeg(tmp_path: Path) -> None:
    photo = pictures.corners()
    content = pictures.encode(photo, "MPO", save_all=True, append_images=[photo.resize((60, 40))])
    assert inspect(file_with(content, tmp_path), MAX) == ImageInfo("JPEG", 120, 80, 1, len(content))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_width_and_height_are_those_shown(image_format: str, orientation: int, tmp_path: Path) -> None:
    info = inspect(file_with(pictures.turned(image_format, orientation), tmp_path), MAX)
    assert (info.width, info.height) == (120, 80)


def test_nothing_is_not_an_image(tmp_path: Path) -> None:
    assert refusal(b"", tmp_path).code == "empty"


@pytest.mark.parametrize(
    "content",
    [b"hello, world\n" * 9, pictures.SVG, b"<html><img src=x onerror=alert(1)></html>", bytes(99), b"\x89"],
    ids=["text", "SVG", "HTML", "zeros", "one byte"],
)
def test_text_is_not_an_image_whatever_its_name(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="PNG, JPEG, WebP and GIF") as caught:
        inspect(file_with(content, tmp_path, "a.png"), MAX)
    assert caught.value.code == "not_an_image"


@pytest.mark.parametrize("other", ["TIFF", "BMP", "ICO", "EPS", "JPEG2000", "AVIF", "DDS", "PDF", "QOI"])
def test_another_format_is_named(other: str, tmp_path: Path) -> None:
    fault = refusal(pictures.encode(pictures.corners(64, 64), other), tmp_path)
    assert fault.code == "format"
    assert other.removesuffix("2000") in str(fault)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
@by_format
def test_a_file_that_is_cut_short_is_found_without_decoding(
    image_format: str, share: float, tmp_path: Path
) -> None:
    for content in (
        pictures.encode(pictures.photo(400, 300), image_format),
        pictures.encode(pictures.photo(400, 300), image_format, progressive=True, lossless=True),
        pictures.animation(image_format) if image_format != "JPEG" else pictures.turned("JPEG", 6),
    ):
        cut = max(12, int(len(content) * share))
        assert refusal(content[:cut], tmp_path).code == "truncated", cut
        assert refusal(content[:-1], tmp_path).code == "truncated"


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    fault = refusal(pictures.png_bomb(), tmp_path)
    assert fault.code == "too_many_pixels"
    assert "50000 × 50000" in str(fault)
    assert str(MAX) in str(fault)


def test_the_bound_is_the_last_size_that_is_taken(tmp_path: Path) -> None:
    content = pictures.encode(pictures.corners(100, 50), "PNG")
    assert inspect(file_with(content, tmp_path), 5000).width == 100
    assert refusal(content, tmp_path, 4999).code == "too_many_pixels"


def test_a_second_header_cannot_smuggle_in_a_larger_picture(tmp_path: Path) -> None:
    content = pictures.encode(pictures.corners(40, 30), "PNG")
    larger = pictures.png_chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0))
    assert refusal(content[:33] + larger + content[33:], tmp_path).code == "truncated"


@pytest.mark.parametrize(
    "content",
    [
        pictures.gif_bomb(1001),
        pictures.webp_bomb(1001, 9, 9),
        pictures.gif_bomb(900, 600, 600),
        pictures.webp_bomb(900, 600, 600),
    ],
    ids=["GIF frames", "WEBP frames", "GIF pixels", "WEBP pixels"],
)
def test_an_animation_is_bounded_in_frames_and_in_pixels_altogether(content: bytes, tmp_path: Path) -> None:
    fault = refusal(content, tmp_path, 10_000_000)
    assert fault.code == "too_many_frames"
    assert "1000 are taken" in str(fault) or "10000000 pixels" in str(fault)


def test_a_canvas_that_webp_cannot_write_is_refused(tmp_path: Path) -> None:
    fault = refusal(pictures.webp_bomb(2, 16_384, 8), tmp_path)
    assert fault.code == "too_many_pixels"
    assert "16383" in str(fault)


def test_animations_within_the_bounds_are_taken(tmp_path: Path) -> None:
    assert inspect(file_with(pictures.gif_bomb(1000), tmp_path), 10_000_000).frames == 1000
    assert inspect(file_with(pictures.webp_bomb(25, 600, 600), tmp_path), 10_000_000).frames == 25


@by_format
def test_a_file_of_many_small_parts_is_not_walked_to_its_end(image_format: str, tmp_path: Path) -> None:
    whole = pictures.encode(pictures.corners(), image_format)
    part, at = {
        "PNG": (pictures.png_chunk(b"tEXt", b""), 33),
        "JPEG": (b"\xff\xfe\0\2", 2),
        "GIF": (b"\x21\xfe\0", 13 + 3 * 2 ** ((whole[10] & 7) + 1)),
        "WEBP": (b"JUNK\0\0\0\0", len(whole)),
    }[image_format]
    for count, taken in ((1000, True), (1_000_000, False)):
        content = whole[:at] + part * count + whole[at:]
        if image_format == "WEBP":
            content = content[:4] + struct.pack("<I", len(content) - 8) + content[8:]
        path = file_with(content, tmp_path)
        begin = time.monotonic()
        if taken:
            assert inspect(path, MAX).width == 120
        else:
            assert refusal(content, tmp_path).code == "truncated"
        assert time.monotonic() - begin < 10


def test_a_missing_file_is_no_bad_image(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        inspect(tmp_path / "none", MAX)


def test_pillow_is_left_as_it_was(tmp_path: Path) -> None:
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
    inspect(file_with(MODES["JPEG in colour"], tmp_path), 300_000_000)
    refusal(pictures.png_bomb(), tmp_path)
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)) == before


BIG = {
    "JPEG": ("JPEG", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"}),
    "progressive JPEG": ("JPEG", {"progressive": True}),
    "PNG": ("PNG", {"compress_level": 1}),
    "WEBP": ("WEBP", {"method": 0}),
    "GIF": ("GIF", {}),
}
# Not getrusage: its peak is inherited from the process that starts this one.
MEASURE = """
import re, sys
from pathlib import Path
from lab.jobs.images import inspect

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

inspect(Path(sys.argv[1]), 50_000_000)
before = peak()
info = inspect(Path(sys.argv[2]), 50_000_000)
print(info.width * info.height, peak() - before)
"""


@pytest.mark.parametrize("name", BIG)
def test_twelve_megapixels_are_looked_at_in_little_memory(name: str, tmp_path: Path) -> None:
    image_format, options = BIG[name]
    photo = pictures.photo()
    if image_format == "GIF":
        photo = photo.convert("L")
    content = pictures.encode(photo, image_format, **options)
    small = file_with(pictures.encode(pictures.corners(), image_format), tmp_path, "small")
    source = file_with(content, tmp_path, "big")
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, small, source], cwd=ROOT, capture_output=True, text=True, check=True
    )
    pixels, kilobytes = map(int, measured.stdout.split())
    assert pixels == 12_000_000
    assert kilobytes * 1024 < 25_000_000 + 2 * len(content)
