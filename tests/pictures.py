"""Pictures to test with, good and bad, made on the spot and always the same."""

import io
import random
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

TWELVE_MEGAPIXELS = (4000, 3000)
# The corners of `corners`, clockwise from the top left.
CORNERS = ((220, 30, 30), (30, 200, 30), (30, 30, 220), (240, 240, 240))
LATITUDE = b"59.9386"
UPRIGHT_TO_STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def file_with(content: bytes, folder: Path, name: str = "upload") -> Path:
    """A file in `folder` with `content`."""
    path = folder / name
    path.write_bytes(content)
    return path


def corners(width: int = 120, height: int = 80) -> Image.Image:
    """Four quarters of four colours: no two of its eight orientations look alike."""
    image = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(image)
    x, y = width // 2, height // 2
    boxes = ((0, 0, x, y), (x, 0, width, y), (x, y, width, height), (0, y, x, height))
    for box, colour in zip(boxes, CORNERS, strict=True):
        draw.rectangle(box, fill=colour)
    return image


@cache
def photo(width: int = 4000, height: int = 3000) -> Image.Image:
    """As a camera might see: soft colours, edges and a little grain. Not to be changed."""
    chance = random.Random(width)
    small = Image.frombytes("L", (100, 75), chance.randbytes(7500)).resize((width, height))
    ramp = Image.linear_gradient("L").resize((width, height))
    grain = Image.frombytes("L", (512, 512), chance.randbytes(512 * 512)).point(
        [96 + n // 4 for n in range(256)]
    )
    blue = Image.new("L", (width, height))
    for x in range(0, width, 512):
        for y in range(0, height, 512):
            blue.paste(grain, (x, y))
    return Image.merge("RGB", (small, ramp, blue))


def encode(image: Image.Image, image_format: str, **options: Any) -> bytes:
    """`image` as a file of `image_format`."""
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def with_metadata(image_format: str, image: Image.Image | None = None) -> bytes:
    """A picture with camera, place, comment and the like written into every corner that the format has."""
    image = image or corners()
    exif = Image.Exif()
    exif[0x010F] = "Secret Cameras"
    exif.get_ifd(0x8825)[1] = LATITUDE.decode()
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>secret " + LATITUDE + b"</x:xmpmeta>"
    match image_format:
        case "PNG":
            from PIL.PngImagePlugin import PngInfo

            text = PngInfo()
            text.add_text("Comment", "secret " + LATITUDE.decode())
            text.add_itxt("XML:com.adobe.xmp", xmp.decode())
            return encode(image, "PNG", exif=exif, pnginfo=text)
        case "JPEG":
            return encode(image, "JPEG", quality=95, exif=exif, xmp=xmp, comment=b"secret " + LATITUDE)
        case "WEBP":
            return encode(image, "WEBP", quality=95, exif=exif, xmp=xmp)
    return encode(image, "GIF", comment=b"secret " + LATITUDE)


def turned(image_format: str, orientation: int, image: Image.Image | None = None) -> bytes:
    """`image` stored turned, with the EXIF orientation that makes viewers show it upright."""
    image = image or corners()
    turn = UPRIGHT_TO_STORED[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(image if turn is None else image.transpose(turn), image_format, exif=exif, quality=95)


def animation(image_format: str, frames: int = 4, size: tuple[int, int] = (60, 40), **options: Any) -> bytes:
    """A square that wanders from left to right over the corners, slower with each frame, three times."""
    pictures = []
    for number in range(frames):
        picture = corners(*size)
        left = 4 + number * (size[0] - 16) // max(1, frames)
        picture.paste((0, 0, 0), (left, 4, left + 8, 12))
        pictures.append(picture)
    durations = [100 + 50 * number for number in range(frames)]
    first, *others = pictures
    options = {"save_all": True, "append_images": others, "duration": durations, "loop": 3, **options}
    return encode(first, image_format, **options)


def in_modes() -> dict[str, bytes]:
    """One file for each kind of pixel that the formats know, by a name for it."""
    rgb = corners()
    alpha = Image.linear_gradient("L").resize(rgb.size)
    rgba = rgb.copy()
    rgba.putalpha(alpha)
    palette = rgb.quantize(16)
    row = struct.pack("<H", 1000) * 60 + struct.pack("<H", 50_000) * 60
    wide = Image.frombytes("I;16", rgb.size, row * 80)
    return {
        "PNG of one bit": encode(rgb.convert("1"), "PNG"),
        "PNG in grey": encode(rgb.convert("L"), "PNG"),
        "PNG in grey with alpha": encode(rgba.convert("LA"), "PNG"),
        "PNG in grey with a transparent value": encode(rgb.convert("L"), "PNG", transparency=7),
        "PNG in colour": encode(rgb, "PNG"),
        "PNG with alpha": encode(rgba, "PNG"),
        "PNG with a transparent colour": encode(rgb, "PNG", transparency=CORNERS[0]),
        "PNG with a palette": encode(palette, "PNG"),
        "PNG with a transparent palette": encode(palette, "PNG", transparency=b"\x00\x80" + b"\xff" * 14),
        "PNG of 16 bits": encode(wide, "PNG"),
        "JPEG in grey": encode(rgb.convert("L"), "JPEG"),
        "JPEG in colour": encode(rgb, "JPEG", quality=95),
        "JPEG that is progressive": encode(rgb, "JPEG", progressive=True),
        "JPEG in CMYK": encode(rgb.convert("CMYK"), "JPEG", quality=95),
        "WEBP lossy": encode(rgb, "WEBP"),
        "WEBP lossless": encode(rgb, "WEBP", lossless=True),
        "WEBP with alpha": encode(rgba, "WEBP", quality=90),
        "GIF": encode(palette, "GIF"),
        "GIF in grey": encode(rgb.convert("L"), "GIF"),
        "GIF with transparency": encode(palette, "GIF", transparency=1),
    }


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG, with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_bomb(width: int = 50_000, height: int = 50_000) -> bytes:
    """A whole and true PNG of one bit a pixel: some hundred kilobytes that would be gigabytes."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    body = b"".join(packer.compress(row * 100) for _ in range(height // 100)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def gif_bomb(frames: int, width: int = 1, height: int = 1) -> bytes:
    """A GIF of many frames that say next to nothing."""
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00"
    header = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return header + frame * frames + b";"


def webp_bomb(frames: int, width: int, height: int) -> bytes:
    """An animated WebP of many frames, each one pixel on a large canvas."""
    pixel = encode(Image.new("RGB", (1, 1)), "WEBP", lossless=True)[12:]
    body = bytes(6) + bytes(6) + struct.pack("<I", 10)[:3] + b"\0" + pixel
    frame = b"ANMF" + struct.pack("<I", len(body)) + body
    canvas = struct.pack("<I", 2) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    chunks = (
        b"VP8X" + struct.pack("<I", 10) + canvas + b"ANIM" + struct.pack("<IIH", 6, 0, 0) + frame * frames
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


SVG = (
    b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
    b"<script>alert(1)</script></svg>"
)
