"""Pixels as the operations and the target formats can take them."""

import io

from PIL import Image, ImageCms


def plain(image: Image.Image) -> Image.Image:
    """`image` in sRGB with 8 bits a channel, as L, LA, RGB or RGBA, and with nothing in its `info`.

    Grey stays grey and transparency stays; 16 bits are scaled; palettes are written out; an embedded colour
    profile is applied where it can be.
    """
    icc = image.info.get("icc_profile")
    if image.mode == "I;16":
        image = _eight_bits(image)
    grey = image.mode in ("1", "L", "LA")
    if image.has_transparency_data:
        image = image.convert("LA" if grey else "RGBA")
        alpha = image.getchannel("A")
        image = _in_srgb(image.convert("L" if grey else "RGB"), icc)
        image.putalpha(alpha)
    else:
        image = _in_srgb(image.convert("L") if image.mode == "1" else image, icc)
        image = image.convert("L" if grey else "RGB")
    image.info = {}
    return image


def _eight_bits(image: Image.Image) -> Image.Image:
    # Pillow's own conversion to L clips what is above 255.
    wide = image.convert("I")
    scaled = wide.point([(value + 128) // 257 for value in range(65536)], "L")
    transparent = image.info.get("transparency")
    if transparent is not None:
        scaled.putalpha(wide.point([255 * (value != transparent) for value in range(65536)], "L"))
    return scaled


def _in_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    if not icc:
        return image
    if image.mode == "P":
        image = image.convert("RGB")
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        shown = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return image  # A broken profile, or one for other channels: the colours count as sRGB.
    if shown is None or image.mode != "L":
        return shown or image
    return shown.convert("L")


def for_gif(image: Image.Image) -> Image.Image:
    """`image` with at most 256 colours, one of them transparent where `image` is in places. What is half
    transparent becomes opaque."""
    if image.mode == "L":
        return image
    if image.mode == "RGB":
        return image.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    transparent = image.getchannel("A").point([255] * 128 + [0] * 128)
    colours = image.convert("RGB").quantize(255, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    colours.paste(255, mask=transparent)
    colours.info["transparency"] = 255
    return colours
