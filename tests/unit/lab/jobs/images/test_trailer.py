"""Files without their trailer are taken where all of their pixels are there, and only there."""

import re
from pathlib import Path

import pytest
from PIL import Image

from lab.jobs.images import BadImage, complete, inspect
from tests import pictures
from tests.pictures import file_with

MAX = 50_000_000
TRAILERS = {"PNG": 12, "JPEG": 2, "GIF": 1}
PHOTO = pictures.photo(203, 150)
WHOLE = {
    "PNG": pictures.encode(PHOTO, "PNG"),
    "PNG of one colour": pictures.encode(Image.new("L", (90, 70), 7), "PNG"),
    "JPEG": pictures.encode(PHOTO, "JPEG"),
    "JPEG of one colour": pictures.encode(Image.new("RGB", (90, 70), (9, 80, 7)), "JPEG"),
    "grey JPEG": pictures.encode(PHOTO.convert("L"), "JPEG"),
    "fine JPEG": pictures.encode(PHOTO, "JPEG", quality=100, subsampling=0),
    "JPEG with restarts": pictures.encode(PHOTO, "JPEG", restart_marker_rows=1),
    "GIF": pictures.encode(PHOTO, "GIF"),
    "animated GIF": pictures.animation("GIF", 5),
}


def truncated(content: bytes, folder: Path) -> None:
    path = file_with(content, folder)
    with pytest.raises(BadImage) as caught:
        complete(path, MAX)
    assert caught.value.code == "truncated"
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_without_its_trailer_or_with_a_part_of_it_is_made_whole(name: str, tmp_path: Path) -> None:
    whole = WHOLE[name]
    image_format = next(one for one in TRAILERS if one in name)
    expected = inspect(file_with(whole, tmp_path), MAX)
    for lacking in range(1, TRAILERS[image_format] + 1):
        path = file_with(whole[:-lacking], tmp_path)
        assert complete(path, MAX) == expected
        assert path.read_bytes() == whole


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_that_lacks_more_is_refused_and_left_as_it_was(name: str, tmp_path: Path) -> None:
    whole = WHOLE[name]
    trailer = TRAILERS[next(one for one in TRAILERS if one in name)]
    for lacking in (*range(1, 31), len(whole) // 2):
        truncated(whole[: -trailer - lacking], tmp_path)


def test_a_jpeg_that_is_cut_before_or_behind_a_restart_marker_is_refused(tmp_path: Path) -> None:
    whole = WHOLE["JPEG with restarts"]
    found = [one.start() for one in re.finditer(rb"\xff[\xd0-\xd7]", whole)]
    assert found
    for at in found:
        truncated(whole[:at], tmp_path)
        truncated(whole[: at + 2], tmp_path)


def test_a_png_that_lacks_a_whole_part_of_its_pixels_is_refused(tmp_path: Path) -> None:
    whole = WHOLE["PNG"]
    start = whole.index(b"IDAT") - 4
    half = whole[start + 8 : len(whole) // 2]
    truncated(whole[:start] + pictures.png_chunk(b"IDAT", half), tmp_path)


def test_a_jpeg_of_several_scans_is_refused_since_more_may_be_missing(tmp_path: Path) -> None:
    truncated(pictures.encode(PHOTO, "JPEG", progressive=True)[:-2], tmp_path)


def test_a_file_beyond_the_bounds_is_refused_for_that(tmp_path: Path) -> None:
    with pytest.raises(BadImage) as caught:
        complete(file_with(WHOLE["PNG"][:-12], tmp_path), 100)
    assert caught.value.code == "too_many_pixels"
