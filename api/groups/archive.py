"""All results of a group in one ZIP, made while it is sent."""

import re
import zipfile
from typing import Final

from flask import Response
from zipstream import ZipStream

from api.groups.present import group_with_tasks
from api.services import services
from lab.images import SUFFIXES

LONGEST_STEM: Final = 60


def archive(group_id: str) -> Response | None:
    """The answer that sends the group's results so far; None where there are none."""
    group = group_with_tasks(group_id)
    made = [task for task in group["tasks"] if task["result_url"]] if group else []
    if not made:
        return None
    stream = ZipStream(sized=True, compress_type=zipfile.ZIP_STORED)  # images are compressed already
    for place, task in enumerate(made, 1):
        file = services().image_files.made(task["id"], "result")
        stream.add_path(str(file), entry_name(place, task["image"]["name"], task["result"]["format"]))
    return Response(
        stream,
        content_type="application/zip",
        headers={
            "Content-Disposition": f"attachment; filename=images-{group_id[:8]}.zip",
            "Content-Length": str(len(stream)),
            "Last-Modified": str(stream.last_modified),
        },
    )


def entry_name(place: int, name: str, image_format: str) -> str:
    """A file's name in the archive: its number, what is harmless of its own name, and the right suffix."""
    stem = re.sub(r"[^\w-]+", "-", name.rpartition(".")[0] or name).strip("-")[:LONGEST_STEM]
    return f"{place:03}-{stem or 'image'}{SUFFIXES[image_format]}"
