"""What counts as an image, and what is done to one."""

from lab.images.faults import BadImage
from lab.images.inspection import FORMATS, MEDIA_TYPES, SUFFIXES, ImageInfo, inspect
from lab.images.operation import Operation
from lab.images.trailer import complete
from lab.images.transformation import transform

__all__ = [
    "FORMATS",
    "MEDIA_TYPES",
    "SUFFIXES",
    "BadImage",
    "ImageInfo",
    "Operation",
    "complete",
    "inspect",
    "transform",
]
