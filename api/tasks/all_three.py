"""One job through every method at once."""

from collections.abc import Mapping
from typing import Any, Final

from api.services import services
from api.web import forms
from api.web.i18n import plural_forms
from api.web.keys import form_key
from api.web.schemas import Invalid
from api.web.wording import LABELS, gettext, ngettext
from store.tasks import Row
from transports import transport_class
from transports.methods import METHODS

MOST: Final = 100
"""How many tasks by each method the page can watch."""
FORM: Final = "all"
"""What the form calls itself where others name their method."""


def submit(form: Mapping[str, str], *, in_request: bool) -> list[Row]:
    """Submits the timed tasks that `form` asks for by each method, with a broker first, and returns their rows.
    Without `in_request` those that would run in the request are checked and left out: a script sends them itself,
    and watches the others meanwhile.

    Raises:
        Invalid: one of the methods would not take them; nothing was submitted.
        store.tasks.KeyReused: the form's key came before with other tasks.
    """
    fields = {name: form.get(name, "") for name in ("timeout", "count")}
    requests = [forms.parse_task({**fields, "method": method}) for method in METHODS]
    requests.sort(key=lambda request: transport_class(request.method).in_request)
    rows: list[Row] = []
    for request in requests:
        if request.count > MOST:
            fault = {
                "field": "count",
                "message": f"at most {MOST}",
                "code": "too_many_to_watch",
                "bound": MOST,
            }
            raise Invalid([fault])
        services().submitter.check(request)
    for request in requests:
        if in_request or not transport_class(request.method).in_request:
            key = form_key(f"{FORM}:{request.method}", form.get("key", ""))
            rows += services().submitter.submit(request, key)
    return rows


def for_scripts() -> dict[str, Any]:
    """What the page's script needs for the race: the methods, and its words; {braces} are its to fill."""
    return {
        "inRequest": [name for name in METHODS if transport_class(name).in_request],
        "names": LABELS,
        "told": gettext("%(done)s of %(n)s · %(time)s", done="{done}", n="{n}", time="{time}"),
        "all": plural_forms(
            lambda n: ngettext("Done: %(list)s.", "All %(n)s done: %(list)s.", n, n="{n}", list="{list}")
        ),
        "first": gettext("%(method)s after %(time)s", method="{method}", time="{time}"),
        "then": gettext(
            "%(method)s after %(time)s (%(more)s more)", method="{method}", time="{time}", more="{more}"
        ),
        "failed": gettext(
            "%(method)s: %(k)s of %(n)s did not end DONE.", method="{method}", k="{k}", n="{n}"
        ),
        "late": gettext(
            "%(method)s: %(k)s of %(n)s have ended after %(time)s.",
            method="{method}",
            k="{k}",
            n="{n}",
            time="{time}",
        ),
        "hint": gettext("Its workers may be away: see “Workers and queues”."),
    }
