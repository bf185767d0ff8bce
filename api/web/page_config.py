"""What a page's scripts are told: addresses, words, and where in the stream the page stands."""

from typing import Any

from flask import url_for

from api.web import i18n, numbers, wording


def page_config(last_change: int | None, more: dict[str, Any]) -> dict[str, Any]:
    """What every page with scripts carries, and `more` of its own. `last_change` is the number of the
    newest change in the store before the page's rows were read: the page follows from there, or from now on where it
    is None."""
    return {
        "language": i18n.language(),
        "lastChange": last_change,
        "eventsUrl": url_for("events.stream"),
        "tasksUrl": url_for("tasks.page"),
        "taskUrl": url_for("pages.task", task_id="ID"),
        "groupUrl": url_for("pages.images.group", group_id="ID"),
        "workflowUrl": url_for("pages.workflows.one", workflow_id="ID"),
        "receiveUrl": url_for("pages.receive"),
        "cancelUrl": url_for("pages.cancel", task_id="ID"),
        "retryUrl": url_for("pages.retry", task_id="ID"),
        "labels": wording.LABELS,
        "meanings": wording.meanings(),
        "strings": wording.for_scripts() | numbers.for_scripts(),
        **more,
    }
