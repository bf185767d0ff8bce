"""The page that asks before something is done to many tasks, and tells what came of it."""

import re
from collections.abc import Sequence
from typing import Any, Final, cast

from flask import Blueprint, abort, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from api.services import services
from api.tasks import bulk
from api.tasks.filter import Filter
from api.web.i18n import number
from api.web.schemas import Invalid
from api.web.wording import LABELS, gettext, ngettext

bulk_pages = Blueprint("bulk", __name__, url_prefix="/tasks/bulk")

MOST_DIGITS: Final = 15


@bulk_pages.get("")
def ask() -> AnyResponse:
    """How many tasks the filter fits, and whether the act is meant."""
    chosen = Filter.of(request.args)
    if request.args.get("act") not in bulk.ACTS:
        return redirect(chosen.url())
    act = _act(request.args["act"])
    through = services().store.last_num()
    try:
        count, too_many = len(bulk.matching(chosen.query(0), through)), False
    except Invalid:
        count, too_many = 0, True
    page = render_template(
        "tasks/bulk.html",
        act=act,
        chosen=chosen,
        outcome=None,
        shown=_shown(chosen),
        count=count,
        too_many=too_many,
        most=bulk.MOST,
        through=through,
        question=_question(act, count),
        about=_about(act),
    )
    return make_response(page)


@bulk_pages.post("")
def act() -> AnyResponse:
    """Does it, to those tasks that were there when the question was asked."""
    wanted, chosen = _act(request.form.get("act", "")), Filter.of(request.form)
    through = request.form.get("through", "")
    if not re.fullmatch(rf"[0-9]{{1,{MOST_DIGITS}}}", through):
        abort(400)
    return _told(wanted, chosen, bulk.run(wanted, bulk.matching(chosen.query(0), int(through))))


@bulk_pages.post("/undo")
def undo() -> AnyResponse:
    """Takes an act back: does the other one to the tasks that it was done to."""
    wanted, chosen = _act(request.form.get("act", "")), Filter.of(request.form)
    nums = numbers(request.form.get("nums", ""))
    if wanted not in bulk.UNDO.values() or not nums:
        abort(400)
    return _told(wanted, chosen, bulk.run(wanted, nums))


def ranges(nums: Sequence[int]) -> str:
    """`nums` as text, those that follow each other as one range: 3-5,9."""
    found: list[list[int]] = []
    for num in sorted(nums):
        if found and found[-1][1] == num - 1:
            found[-1][1] = num
        else:
            found.append([num, num])
    return ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in found)


def numbers(text: str) -> list[int]:
    """The numbers that `ranges` wrote; none where it is no such text, or has more than an act takes."""
    whole = rf"[0-9]{{1,{MOST_DIGITS}}}"
    if not re.fullmatch(rf"{whole}(-{whole})?(,{whole}(-{whole})?)*", text):
        return []
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        here = range(int(first), int(last or first) + 1)
        if len(found) + len(here) > bulk.MOST:
            return []
        found += here
    return found


def _act(name: str) -> bulk.Act:
    if name not in bulk.ACTS:
        abort(400)
    return cast(bulk.Act, name)


def _told(act: bulk.Act, chosen: Filter, outcome: bulk.BulkOutcome) -> AnyResponse:
    undo = bulk.UNDO.get(act)
    page = render_template(
        "tasks/bulk.html",
        act=act,
        chosen=chosen,
        outcome=outcome,
        said=_said(act, outcome.done),
        refused=_refused(act, outcome.refused),
        undo=undo,
        undo_word=_UNDO_WORDS[undo]() if undo else "",
        ranges=ranges(outcome.nums),
    )
    return make_response(page, 202)


_UNDO_WORDS: Final = {
    "retry": lambda: gettext("Undo: send them again"),
    "cancel": lambda: gettext("Undo: cancel the new ones"),
}


def _shown(chosen: Filter) -> list[tuple[str, Any]]:
    told = [
        (gettext("Method"), LABELS.get(chosen.method)),
        (gettext("Status"), chosen.status),
        (gettext("Number or id"), chosen.q),
        (gettext("Kind"), chosen.kind),
        (gettext("Worker"), chosen.worker),
        (gettext("Error contains"), chosen.error),
        (gettext("Sent from"), chosen.since),
        (gettext("Sent before"), chosen.until),
    ]
    return [(name, value) for name, value in told if value]


def _question(act: bulk.Act, n: int) -> str:
    shown = number(n)
    if act == "cancel":
        return ngettext("Cancel %(n)s task?", "Cancel %(n)s tasks?", n, n=shown)
    if act == "retry":
        return ngettext("Send %(n)s task again?", "Send %(n)s tasks again?", n, n=shown)
    return ngettext("Delete %(n)s task?", "Delete %(n)s tasks?", n, n=shown)


def _about(act: bulk.Act) -> str:
    return {
        "cancel": gettext(
            "What has ended is left alone; what runs is told to stop. To undo it, the cancelled tasks are sent again."
        ),
        "retry": gettext(
            "Each that FAILED or was CANCELLED becomes a new task; the others, those sent again before, those run in"
            " the request and steps of workflows are left alone. To undo it, the new tasks are cancelled."
        ),
        "delete": gettext(
            "Tasks that have ended are removed with their histories. What has not ended, parts of groups and workflows,"
            " and what may still be in a queue stay. This cannot be undone."
        ),
    }[act]


def _said(act: bulk.Act, n: int) -> str:
    shown = number(n)
    if act == "cancel":
        return ngettext("%(n)s task is cancelled.", "%(n)s tasks are cancelled.", n, n=shown)
    if act == "retry":
        return ngettext("%(n)s task was sent again.", "%(n)s tasks were sent again.", n, n=shown)
    return ngettext("%(n)s task was deleted.", "%(n)s tasks were deleted.", n, n=shown)


def _refused(act: bulk.Act, n: int) -> str:
    shown = number(n)
    left = ngettext("%(n)s task was left alone:", "%(n)s tasks were left alone:", n, n=shown)
    why = {
        "cancel": gettext("ended before."),
        "retry": gettext("not ended, sent again before, run in the request, or a step of a workflow."),
        "delete": gettext("not ended, part of a group or workflow, or perhaps still in a queue."),
    }[act]
    return f"{left} {why}"
