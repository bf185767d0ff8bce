"""What the control page says from Python, in the reader's language."""

from collections.abc import Sequence

from api.control.poll import Picture
from api.control.purge import Purged
from api.web.i18n import clock, duration, number
from api.web.wording import gettext, ngettext
from transports.control import Reply


def trouble(picture: Picture) -> list[str]:
    """Why a picture may be old, or not whole; nothing where all is well."""
    said = []
    broker, other = picture["broker"], picture["celery_broker"]
    if picture["at"] is None and broker["up"] is None:
        return [gettext("The first picture is being taken. It is here in a few seconds.")]
    if not broker["up"]:
        text = gettext("The broker has not answered since %(at)s UTC.", at=clock(broker["since"]))
        said.append(text if picture["at"] is None else f"{text} {gettext('Below is what was seen last.')}")
    if other is not None and not other["up"]:
        said.append(
            gettext("Celery's own broker has not answered since %(at)s UTC.", at=clock(other["since"]))
        )
    return said


def away() -> str:
    """What is said when the broker does not answer to an order."""
    return gettext("The broker does not answer. Nothing was done.")


def which_worker() -> str:
    """What is said to a form that names no worker."""
    return gettext("There is no such worker.")


def pinged(answers: Sequence[Reply], silent: Sequence[str]) -> str:
    """Who answered and how fast, and who did not."""
    parts = [f"{answer.worker}: {duration(answer.seconds)}" for answer in answers]
    said = gettext("Answered: %(list)s.", list=", ".join(parts)) if parts else nobody()
    if silent:
        said += " " + gettext("Silent: %(list)s.", list=", ".join(silent))
    return said


def nobody() -> str:
    """What is said when no worker answers at all."""
    return gettext("No worker answered.")


def resized(worker: str, n: int) -> str:
    """What is said of a pool that was changed by `n`."""
    count = abs(n)
    if n > 0:
        text = ngettext(
            "%(worker)s runs %(n)s job more at once.", "%(worker)s runs %(n)s jobs more at once.", count,
            worker=worker, n=number(count),
        )  # fmt: skip
    else:
        text = ngettext(
            "%(worker)s runs %(n)s job fewer at once, but at least one.",
            "%(worker)s runs %(n)s jobs fewer at once, but at least one.",
            count, worker=worker, n=number(count),
        )  # fmt: skip
    return text


def limited(kind: str, rate: str, workers: int) -> str:
    """What is said of a rate limit that this many workers have accepted."""
    names = {"kind": kind, "rate": rate, "n": number(workers)}
    if rate == "0":
        return ngettext(
            "%(kind)s: no limit any more, at %(n)s worker.",
            "%(kind)s: no limit any more, at %(n)s workers.",
            workers,
            **names,
        )
    return ngettext(
        "%(kind)s: at most %(rate)s, at %(n)s worker.",
        "%(kind)s: at most %(rate)s, at each of %(n)s workers.",
        workers,
        **names,
    )


def purged(queue: str, gone: Purged, left: int) -> str:
    """What is said of a queue that was purged, where `left` messages wait now."""
    if not gone.messages:
        return gettext("Nothing waited in %(queue)s.", queue=queue)
    said = ngettext(
        "%(n)s message is gone from %(queue)s.",
        "%(n)s messages are gone from %(queue)s.",
        gone.messages,
        n=number(gone.messages),
        queue=queue,
    )
    said += " " + ngettext(
        "%(n)s task is CANCELLED.", "%(n)s tasks are CANCELLED.", gone.tasks, n=number(gone.tasks)
    )
    if left:
        said += " " + ngettext(
            "%(n)s message waits there now.", "%(n)s messages wait there now.", left, n=number(left)
        )
    return said
