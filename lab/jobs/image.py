"""The job `process_image`: really, on an uploaded image, or by waiting."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from PIL import Image

from lab.jobs.context import Context
from lab.jobs.images import Operation, transform

# The API has checked the image against its own bound; this one only keeps a worker alive.
MAX_PIXELS: Final = 1_000_000_000
PREVIEW_SIDE: Final = 360


def process_image(
    context: Context,
    image_id: str,
    seconds: float | None = None,
    operation: dict[str, Any] | None = None,
) -> Any:
    """Does `operation` to the uploaded image `image_id` and delivers the result to the API. Without an
    operation it waits `seconds`, as if it did.

    Raises:
        lab.jobs.files.FileGone: the upload has expired.
        lab.jobs.images.BadImage: the image cannot be read to its end.
    """
    if operation is None:
        context.wait(seconds or 0.0)
        return f"Image {image_id} processed"
    if context.files is None:
        raise TypeError("process_image needs the API's files to work on an upload")
    with TemporaryDirectory(prefix="lab-image-") as folder:
        source, target, small = (Path(folder, name) for name in ("source", "target", "small"))
        context.files.fetch(source)
        context.progress(0.2)
        info = transform(
            source,
            target,
            Operation.model_validate(operation),
            MAX_PIXELS,
            lambda share: context.progress(0.2 + 0.6 * share),
        )
        _preview(target, small)
        context.progress(0.85)
        context.files.deliver(small, "preview")
        context.files.deliver(target)
    return {
        "image": image_id,
        "format": info.format,
        "width": info.width,
        "height": info.height,
        "bytes": info.bytes,
    }


def _preview(source: Path, target: Path) -> None:
    """Writes a WebP image, at most 360 pixels wide and high, of `source`'s first frame to `target`.

    Raises:
        OSError: `source` cannot be read to its end.
    """
    with Image.open(source) as image:
        image.draft("RGB", (PREVIEW_SIDE, PREVIEW_SIDE))
        small = image.convert("RGBA" if image.has_transparency_data else "RGB")
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    small.save(target, "WEBP", quality=80)
