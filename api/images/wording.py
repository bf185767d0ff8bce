"""What the pages of images say from Python, and what their scripts say: in the reader's language."""

from collections.abc import Mapping
from typing import Any

from babel.numbers import format_percent

from api.images.groups import GroupCancelled
from api.web.forms import sentences
from api.web.i18n import language, number, plural_forms
from api.web.wording import gettext, ngettext
from lab.jobs.images import Operation
from lab.settings import Settings
from lab.status import TaskStatus


def operation(params: Mapping[str, Any] | None) -> str:
    """An operation in a few words; None stands for tasks that only wait."""
    if params is None:
        return gettext("Waiting in place of images")
    value = next((value for name, value in params.items() if name != "name"), None)
    shown = number(value) if isinstance(value, int | float) else value
    titles = {
        "thumbnail": gettext("Thumbnail, %(value)s px", value=shown),
        "grayscale": gettext("Grayscale"),
        "blur": gettext("Blur, %(value)s px", value=shown),
        "rotate": gettext("Turn by %(value)s°", value=shown),
        "watermark": gettext("Watermark “%(value)s”", value=shown),
    }
    return titles[params["name"]]


def counted(counts: Mapping[str, int]) -> str:
    """How far a group has come; `counts` are its tasks by status."""
    names = {name: number(n) for name, n in counts.items()}
    parts = [gettext("%(done)s of %(all)s done", done=names["DONE"], all=number(sum(counts.values())))]
    parts += [text for status, text in _others(names).items() if counts[status]]
    return " · ".join(parts)


def share(counts: Mapping[str, int]) -> str:
    """The share of a group that is done, rounded down: what is not all is not 100 %."""
    return format_percent(100 * counts["DONE"] // sum(counts.values()) / 100, locale=language())


def images(n: int) -> str:
    """How many images."""
    return ngettext("%(n)s image", "%(n)s images", n, n=number(n))


def cancelled(found: GroupCancelled) -> str:
    """What is said of a group just cancelled."""
    if not found.cancelled and not found.running:
        return gettext("All images of this group had ended before.")
    parts = [
        gettext("Cancelled before they began: %(n)s.", n=number(found.cancelled)),
        gettext("Running, now being stopped: %(n)s.", n=number(found.running)),
        gettext("Done before: %(n)s.", n=number(found.done)),
    ]
    if found.failed:
        parts.append(gettext("Failed before: %(n)s.", n=number(found.failed)))
    return " ".join(parts)


def expired(hours: float) -> str:
    """That a group's results are there no more."""
    return gettext("The results have expired: they are kept for %(n)s h.", n=number(hours))


def reason(code: str, settings: Settings) -> str:
    """Why a file was not taken, by `Refused.code`, and what to do."""
    return _reasons(settings).get(code, gettext("It was not taken."))


def not_taken(name: str, why: str) -> str:
    """That the file `name` is not among the group's images; `why` is a sentence."""
    return gettext("Not taken: %(name)s. %(why)s", name=name, why=why)


def completed(name: str) -> str:
    """That the file `name` was taken though it lacked its trailer."""
    return gettext(
        "%(name)s lacked its end mark, which was added. All that the file holds was taken.", name=name
    )


def too_many(settings: Settings, shown: str) -> str:
    """That there are too many files for one group; `shown` is their number as it is written."""
    return gettext(
        "Too many files: %(n)s. One group takes %(most)s at most. Choose fewer.",
        most=number(settings.upload_count),
        n=shown,
    )


def faults() -> dict[str, str]:
    """What each field of the form takes."""
    return {**sentences(Operation), "files": gettext("Choose at least one image first.")}


def for_scripts(settings: Settings) -> dict[str, Any]:
    """The sentences of these pages' scripts; {braces} are theirs to fill."""
    most = {status: f"{{{status}}}" for status in TaskStatus.__members__}
    return {
        "counted": gettext("%(done)s of %(all)s done", done="{DONE}", all="{all}"),
        "others": _others(most),
        "ended": gettext("The group has ended: %(counts)s.", counts="{counts}"),
        "reasons": _reasons(settings),
        "faults": faults(),
        "tooMany": too_many(settings, "{n}"),
        "folders": gettext("Folders are not taken. Drop the images in them."),
        "files": plural_forms(lambda n: ngettext("%(n)s file", "%(n)s files", n, n="{n}")),
        "MB": gettext("%(n)s MB", n="{n}"),
        "kB": gettext("%(n)s kB", n="{n}"),
        "completed": completed("{name}"),
        "notTaken": not_taken("{name}", "{why}"),
        "remove": gettext("Remove %(name)s", name="{name}"),
        "added": plural_forms(
            lambda n: ngettext("%(n)s file is chosen.", "%(n)s files are chosen.", n, n="{n}")
        ),
        "uploading": gettext("Uploading: %(done)s of %(all)s", done="{done}", all="{all}"),
        "uploaded": gettext("uploaded"),
        "broken": gettext("It did not arrive. Press “Try again”."),
        "missing": plural_forms(
            lambda n: ngettext(
                "%(n)s file did not arrive. Try again: the others are kept.",
                "%(n)s files did not arrive. Try again: the others are kept.",
                n,
                n="{n}",
            )
        ),
        "tryAgain": gettext("Try again"),
        "noneTaken": gettext("None of these files was taken. Choose others."),
        "grouping": gettext("Sending the group…"),
        "expired": gettext("Some uploads have expired. Press again to upload them again."),
        "gone": gettext("The result has expired"),
        "alt": gettext("Result of %(name)s", name="{name}"),
    }


def _others(names: Mapping[str, str]) -> dict[str, str]:
    """The parts of `counted` that are left out where there are none."""
    return {
        "IN_PROGRESS": gettext("%(n)s being worked on", n=names["IN_PROGRESS"]),
        "RETRYING": gettext("%(n)s to be tried again", n=names["RETRYING"]),
        "FAILED": gettext("%(n)s failed", n=names["FAILED"]),
        "CANCELLED": gettext("%(n)s cancelled", n=names["CANCELLED"]),
    }


def _reasons(settings: Settings) -> dict[str, str]:
    return {
        "empty": gettext("The file is empty. Choose another copy of it."),
        "not_an_image": gettext("This is not an image. Choose a PNG, JPEG, WebP or GIF file."),
        "format": gettext("Images of this format are not taken. Save it as PNG, JPEG, WebP or GIF."),
        "truncated": gettext("The image is damaged or cut short. Choose another copy of it."),
        "too_many_pixels": gettext(
            "It has more than %(most)s megapixels. Make it smaller first.",
            most=number(settings.image_megapixels),
        ),
        "too_many_frames": gettext("The animation is too long. Shorten it, or save one of its pictures."),
        "too_large": gettext(
            "It has more than %(most)s MB. Make it smaller first.", most=number(settings.upload_megabytes)
        ),
    }
