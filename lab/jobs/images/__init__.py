"""What counts as an image, and what is done to one."""

from lab.jobs.images.faults import BadImage
from lab.jobs.images.inspection import FORMATS, MEDIA_TYPES, SUFFIXES, ImageInfo, inspect
from lab.jobs.images.operation import Operation
from lab.jobs.images.trailer import complete
from lab.jobs.images.transformation import transform

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
