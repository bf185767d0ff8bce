"""What the pages of workflows say from Python, and what their scripts say: in the reader's language."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from api.web.forms import sentences
from api.web.i18n import number
from api.web.wording import gettext
from api.workflows.schemas import Source, WorkflowRequest
from lab.status import TaskStatus

SCHEMES: Final = "file:///, data:, https://, s3://, gcp://, azure://"
MOST_NAMED: Final = 12
BY_HAND: Final = "the workflow was cancelled"


def patterns() -> dict[str, dict[str, str]]:
    """What each pattern is called, what it is for, how it is built of Celery's canvas (as transports/celery/canvas.py
    and celery_tasks.py do it), and how it is done by hand."""
    return {
        "chain": {
            "title": gettext("Chain"),
            "purpose": gettext("One after the other: each gets what the one before returned."),
            "canvas": "chain(list_paths.si(), download.s(), count_words.s(), merge_files.s())",
            "by_hand": gettext("the message carries what follows: a routing slip"),
        },
        "group": {
            "title": gettext("Group"),
            "purpose": gettext("Many at once; none waits for another."),
            "canvas": "group(download.si(path) for path in paths)",
            "by_hand": gettext("one message for each"),
        },
        "task_group": {
            "title": gettext("A task before a group"),
            "purpose": gettext("One first; then many at once, all with its result."),
            "canvas": "chain(list_paths.si(), group(download.s(i) for i in range(n)))",
            "by_hand": gettext("a routing slip with several next stops"),
        },
        "chord": {
            "title": gettext("Chord"),
            "purpose": gettext("Many at once; when all are done, one more gets the list of their results."),
            "canvas": "chord([download.si(path) for path in paths], write_paths.s())",
            "by_hand": gettext("the store joins: the last one done sends the next"),
        },
        "chain_group_chord": {
            "title": gettext("Chain, group and chord"),
            "purpose": gettext("One first; then many short chains at once; one more puts it all together."),
            "canvas": "chain(list_paths.si(), chord([download.s(i) | count_words.s() …], merge_files.s()))",
            "by_hand": gettext("routing slips, and a join in the store"),
        },
        "map": {
            "title": gettext("Map"),
            "purpose": gettext(
                "A task returns a list, and the list becomes tasks: how many, nobody knew before."
            ),
            "canvas": "chain(list_paths.si(), dmap.s())  # self.replace(group(…))",
            "by_hand": gettext("the store makes the tasks when the list arrives"),
        },
        "conditional_map": {
            "title": gettext("Conditional map"),
            "purpose": gettext("A map whose items go different ways, each by its value; one more collects."),
            "canvas": "chain(list_paths.si(), dmap.s(), write_paths.s())",
            "by_hand": gettext("the store makes the tasks, and joins them"),
        },
    }


def counted(counts: Mapping[str, int]) -> str:
    """How far a workflow has come; `counts` are its nodes by status."""
    return gettext("%(done)s of %(all)s done", done=number(counts["DONE"]), all=number(sum(counts.values())))


def parts(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """The four counters of a stack, by the status whose colour they have: done, running, failed, and those
    that wait, or will never run."""
    cancelled = counts["CANCELLED"]
    waiting = counts["PENDING"] + counts["RETRYING"]
    last = ("CANCELLED", cancelled) if cancelled and not waiting else ("PENDING", waiting)
    told = [
        ("DONE", counts["DONE"]),
        ("IN_PROGRESS", counts["IN_PROGRESS"]),
        ("FAILED", counts["FAILED"]),
        last,
    ]
    return [(status, _part(status, number(n))) for status, n in told]


def drawn(workflow: Mapping[str, Any]) -> str:
    """What the picture shows, for those who do not see it."""
    return gettext(
        "The steps from first to last, and what goes between them; %(counted)s. The list below says the same.",
        counted=counted(workflow["counts"]),
    )


def never_run(names: Sequence[str]) -> str:
    """Which steps never ran; nothing where there are none."""
    if not names:
        return ""
    if len(names) > MOST_NAMED:
        return gettext(
            "Never run: %(names)s and %(n)s more.",
            names=", ".join(names[:MOST_NAMED]),
            n=number(len(names) - MOST_NAMED),
        )
    return gettext("Never run: %(names)s.", names=", ".join(names))


def reason(error: str | None) -> str:
    """Why a workflow ended before its time, where none of its steps failed."""
    return gettext("The workflow was cancelled.") if error == BY_HAND else error or ""


def cancelled(ok: bool) -> str:
    """What is said when a workflow was to be cancelled."""
    if ok:
        return gettext("Cancelled: what waited will never run, what runs is told to stop.")
    return gettext("The workflow had ended before.")


def faults() -> dict[str, str]:
    """What each field of a request takes."""
    return {
        **sentences(WorkflowRequest),
        **sentences(Source, "source."),
        "source": known_before(),
        "source.bucket": gettext("An address such as s3://bucket/prefix."),
        "source.paths": gettext("Paths, one on each line, that begin with %(schemes)s.", schemes=SCHEMES),
        "fail_at": gettext("This pattern has no such step."),
    }


def known_before() -> str:
    """Why a group and a chord take no folder and no bucket."""
    return gettext(
        "Group and chord are built before anything is listed: they take the table or your own paths."
    )


def for_scripts() -> dict[str, Any]:
    """The sentences of these pages' scripts; {braces} are theirs to fill."""
    return {
        "counted": gettext("%(done)s of %(all)s done", done="{done}", all="{all}"),
        "parts": {status: _part(status, "{n}") for status in TaskStatus.__members__},
        "times": gettext("%(waited)s waited, %(ran)s ran", waited="{waited}", ran="{ran}"),
        "ended": gettext("The workflow has ended: %(status)s.", status="{status}"),
    }


def _part(status: str, n: str) -> str:
    says = {
        "PENDING": gettext("%(n)s waiting", n=n),
        "RETRYING": gettext("%(n)s waiting", n=n),
        "IN_PROGRESS": gettext("%(n)s running", n=n),
        "DONE": gettext("%(n)s done", n=n),
        "FAILED": gettext("errors: %(n)s", n=n),
        "CANCELLED": gettext("%(n)s cancelled", n=n),
    }
    return says[status]
