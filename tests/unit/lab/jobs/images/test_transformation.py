"""Real files through the real Pillow: what comes out."""

import io
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageCms, ImageSequence

from lab.jobs.images import FORMATS, BadImage, ImageInfo, Operation, inspect, transform
from tests import pictures
from tests.pictures import file_with

MAX = 50_000_000
OPERATIONS = (
    {"name": "thumbnail", "size": 60},
    {"name": "grayscale"},
    {"name": "blur", "radius": 3},
    {"name": "rotate", "degrees": 90},
    {"name": "watermark", "text": "Лес © é"},
)
MODES = pictures.in_modes()
by_name = pytest.mark.parametrize("fields", OPERATIONS, ids=lambda fields: fields["name"])
by_format = pytest.mark.parametrize("image_format", FORMATS)


def result_of(content: bytes, folder: Path, **fields: Any) -> Image.Image:
    """The operation's result, decoded; what `transform` says of it is checked on the way."""
    target = folder / "result"
    info = transform(file_with(content, folder), target, Operation.model_validate(fields), MAX)
    image = Image.open(io.BytesIO(target.read_bytes()))
    image.load()
    assert info == ImageInfo(
        str(image.format), *image.size, getattr(image, "n_frames", 1), target.stat().st_size
    )
    return image


def near(colour: Any, expected: tuple[int, ...], far: int = 24) -> bool:
    return all(abs(a - b) <= far for a, b in zip(colour, expected, strict=True))


def corner_colours(image: Image.Image) -> list[Any]:
    """The colours in the middle of each quarter, clockwise from the top left."""
    shown = image.convert("RGB")
    x, y = image.width // 4, image.height // 4
    return [shown.getpixel(at) for at in ((x, y), (3 * x, y), (3 * x, 3 * y), (x, 3 * y))]


def test_an_animated_png_counts_as_its_first_frame(tmp_path: Path) -> None:
    content = pictures.animation("PNG", 3)
    assert inspect(file_with(content, tmp_path), MAX).frames == 1
    assert near(corner_colours(result_of(content, tmp_path, name="rotate", degrees=180))[2], (220, 30, 30))


def test_exif_behind_the_picture_of_a_png_counts(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = pictures.encode(pictures.corners(), "PNG")
    content = content[:-12] + pictures.png_chunk(b"eXIf", exif.tobytes()[6:]) + content[-12:]
    info = inspect(file_with(content, tmp_path), MAX)
    assert (info.width, info.height) == (80, 120)
    assert result_of(content, tmp_path, name="blur").size == (80, 120)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of it
def test_broken_exif_counts_as_none(tmp_path: Path) -> None:
    content = pictures.encode(pictures.corners(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff rubbish")
    assert inspect(file_with(content, tmp_path), MAX).width == 120
    assert result_of(content, tmp_path, name="grayscale").size == (120, 80)


@pytest.mark.filterwarnings("ignore::UserWarning")
@by_format
def test_whatever_is_broken_ends_as_a_bad_image(image_format: str, tmp_path: Path) -> None:
    still = pictures.with_metadata(image_format, pictures.corners(40, 30))
    moving = pictures.animation(image_format, 3, (24, 16)) if image_format != "JPEG" else still
    refused = []
    for content in (still, moving):
        for at in range(4, len(content), max(1, len(content) // 120)):
            for value in (0, 0x7F, 0xFF):
                broken = content[:at] + bytes([value]) + content[at + 1 :]
                source = file_with(broken, tmp_path)
                try:
                    inspect(source, MAX)
                    transform(source, tmp_path / "result", Operation(name="grayscale"), MAX)
                except BadImage as fault:
                    refused.append(fault.code)
    assert "truncated" in refused


def test_what_only_decoding_finds_is_found_by_the_transformation(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 40, 30, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", b"not deflated"), (b"IEND", b""))
    source = file_with(
        b"\x89PNG\r\n\x1a\n" + b"".join(pictures.png_chunk(*chunk) for chunk in chunks), tmp_path
    )
    inspect(source, MAX)
    with pytest.raises(BadImage) as caught:
        transform(source, tmp_path / "result", Operation(name="grayscale"), MAX)
    assert caught.value.code == "truncated"
    assert not (tmp_path / "result").exists()


@by_name
@pytest.mark.parametrize("name", MODES)
def test_an_operation_keeps_format_size_and_kind_of_pixel(
    name: str, fields: dict[str, Any], tmp_path: Path
) -> None:
    result = result_of(MODES[name], tmp_path, **fields)
    sizes = {"thumbnail": (60, 40), "rotate": (80, 120)}
    assert result.format == name.split()[0]
    assert result.size == sizes.get(fields["name"], (120, 80))
    with Image.open(io.BytesIO(MODES[name])) as source:
        assert result.has_transparency_data == source.has_transparency_data
        grey = fields["name"] == "grayscale" or source.mode in ("1", "L", "LA", "I;16")
    if result.format in ("PNG", "JPEG"):
        assert result.mode in (("L", "LA") if grey else ("RGB", "RGBA"))
    elif grey:
        bands = result.convert("RGB").split()
        assert all(ImageChops.difference(bands[0], band).getextrema()[1] <= 4 for band in bands)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_every_orientation_comes_out_upright(image_format: str, orientation: int, tmp_path: Path) -> None:
    content = pictures.turned(image_format, orientation)
    small = result_of(content, tmp_path, name="thumbnail", size=60)
    assert small.size == (60, 40)
    assert all(map(near, corner_colours(small), pictures.CORNERS))
    assert not small.getexif()
    turned = result_of(content, tmp_path, name="rotate", degrees=90)
    assert turned.size == (80, 120)
    assert all(map(near, corner_colours(turned), pictures.CORNERS[3:] + pictures.CORNERS[:3]))


@pytest.mark.parametrize("degrees", [90, 180, 270])
@by_format
def test_turning_is_clockwise(image_format: str, degrees: int, tmp_path: Path) -> None:
    result = result_of(
        pictures.encode(pictures.corners(), image_format), tmp_path, name="rotate", degrees=degrees
    )
    moved = -degrees // 90
    assert all(map(near, corner_colours(result), pictures.CORNERS[moved:] + pictures.CORNERS[:moved]))


@by_name
@by_format
def test_no_metadata_is_left(image_format: str, fields: dict[str, Any], tmp_path: Path) -> None:
    content = pictures.with_metadata(image_format)
    assert b"secret" in content
    assert image_format == "GIF" or b"Secret" in content
    result_of(content, tmp_path, **fields)
    left = (tmp_path / "result").read_bytes()
    for trace in (
        b"ecret",
        pictures.LATITUDE,
        b"xmp",
        b"Exif",
        b"eXIf",
        b"EXIF",
        b"ICC",
        b"tEXt",
        b"\xff\xe1",
    ):
        assert trace not in left


@by_name
@pytest.mark.parametrize("image_format", ["GIF", "WEBP"])
def test_an_animation_keeps_its_frames_durations_and_loop(
    image_format: str, fields: dict[str, Any], tmp_path: Path
) -> None:
    result = result_of(pictures.animation(image_format, 4), tmp_path, **fields)
    durations = [frame.info["duration"] for frame in ImageSequence.Iterator(result) if frame.load()]
    assert durations == [100, 150, 200, 250]
    assert result.info["loop"] == 3


def test_transparent_frames_do_not_pile_up(tmp_path: Path) -> None:
    frames = [Image.new("RGBA", (40, 40)) for _ in range(3)]
    for number, frame in enumerate(frames):
        frame.paste((250, 0, 0, 255), (12 * number, 0, 12 * number + 10, 40))
    content = pictures.encode(
        frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100, disposal=2
    )
    result = result_of(content, tmp_path, name="rotate", degrees=180)
    for number, frame in enumerate(ImageSequence.Iterator(result)):
        alpha = frame.convert("RGBA").getchannel("A")
        assert alpha.getbbox() == (30 - 12 * number, 0, 40 - 12 * number, 40)


def test_a_gif_keeps_its_very_colours_when_it_is_turned(tmp_path: Path) -> None:
    source = pictures.photo(400, 300).quantize(256, Image.Quantize.MEDIANCUT)
    result = result_of(pictures.encode(source, "GIF"), tmp_path, name="rotate", degrees=180)
    expected = source.convert("RGB").transpose(Image.Transpose.ROTATE_180)
    assert ImageChops.difference(result.convert("RGB"), expected).getbbox() is None


@by_format
def test_twelve_megapixels_become_a_thumbnail(image_format: str, tmp_path: Path) -> None:
    photo = pictures.photo() if image_format != "GIF" else pictures.photo().convert("L")
    options = {"PNG": {"compress_level": 1}, "WEBP": {"method": 0}}.get(image_format, {})
    result = result_of(pictures.encode(photo, image_format, **options), tmp_path, name="thumbnail")
    assert result.size == (256, 192)
    expected = photo.resize((8, 6), Image.Resampling.BOX).convert("RGB")
    difference = ImageChops.difference(result.convert("RGB").resize((8, 6), Image.Resampling.BOX), expected)
    assert all(most <= 12 for _, most in difference.getextrema())


def test_twelve_megapixels_are_turned_whole(tmp_path: Path) -> None:
    photo = pictures.photo()
    result = result_of(pictures.encode(photo, "JPEG", quality=95), tmp_path, name="rotate", degrees=90)
    assert (result.mode, result.size) == ("RGB", (3000, 4000))
    box = (0, 0, 400, 400)
    expected = photo.transpose(Image.Transpose.ROTATE_270).crop(box).resize((8, 8), Image.Resampling.BOX)
    difference = ImageChops.difference(result.crop(box).resize((8, 8), Image.Resampling.BOX), expected)
    assert all(most <= 12 for _, most in difference.getextrema())


def test_a_thumbnail_never_grows(tmp_path: Path) -> None:
    content = pictures.encode(pictures.corners(30, 20), "PNG")
    assert result_of(content, tmp_path, name="thumbnail", size=256).size == (30, 20)


@pytest.mark.parametrize("size", [(3999, 2661), (1, 2000), (2661, 3999)])
def test_a_thumbnail_has_its_size_to_the_pixel(size: tuple[int, int], tmp_path: Path) -> None:
    content = pictures.encode(Image.new("RGB", size), "JPEG")
    longer = max(size)
    expected = tuple(max(1, round(side * 256 / longer)) for side in size)
    assert result_of(content, tmp_path, name="thumbnail").size == expected


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path: Path) -> None:
    result = result_of(MODES["PNG of 16 bits"], tmp_path, name="rotate", degrees=180)
    assert (result.getpixel((119, 79)), result.getpixel((0, 79))) == (4, 195)


def test_blurring_draws_no_colour_from_what_is_transparent(tmp_path: Path) -> None:
    source = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    source.paste((255, 255, 255, 255), (0, 0, 20, 40))
    result = result_of(pictures.encode(source, "PNG"), tmp_path, name="blur", radius=4)
    assert result.getpixel((20, 20))[:3] == (255, 255, 255)
    assert 60 < result.getpixel((20, 20))[3] < 200


def test_a_colour_profile_is_applied_and_a_broken_one_passed_over(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    other = srgb.replace(b"rXYZ", b"    ").replace(b"bXYZ", b"rXYZ").replace(b"    ", b"bXYZ", 1)
    for profile, kept in ((srgb, True), (b"rubbish", True), (lab, True), (other, False)):
        content = pictures.encode(pictures.corners(), "PNG", icc_profile=profile)
        result = result_of(content, tmp_path, name="rotate", degrees=180)
        colours = corner_colours(result)[2:] + corner_colours(result)[:2]
        assert all(near(a, b, 3) for a, b in zip(colours, pictures.CORNERS, strict=True)) is kept
        assert "icc_profile" not in result.info


@by_format
def test_the_same_comes_out_each_time(image_format: str, tmp_path: Path) -> None:
    content = pictures.encode(pictures.photo(400, 300), image_format)
    found = set()
    for _ in range(2):
        result_of(content, tmp_path, name="watermark", text="Лес")
        found.add((tmp_path / "result").read_bytes())
    assert len(found) == 1


@pytest.mark.parametrize("name", ["JPEG in colour", "GIF"])
def test_progress_is_told_and_only_grows(name: str, tmp_path: Path) -> None:
    told: list[float] = []
    transform(file_with(MODES[name], tmp_path), tmp_path / "result", Operation(name="blur"), MAX, told.append)
    assert told == sorted(told)
    assert len(told) >= 2
    assert told[-1] == 1.0


def test_what_progress_raises_comes_through(tmp_path: Path) -> None:
    def refuse(share: float) -> None:
        raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"):
        transform(file_with(MODES["GIF"], tmp_path), tmp_path / "result", Operation(name="blur"), MAX, refuse)
