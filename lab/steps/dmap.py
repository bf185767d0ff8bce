"""The step that makes a list into tasks, where the transport cannot."""

from typing import Any

from lab.context import Context


def dmap(context: Context, items: list[Any]) -> list[str]:
    """Has the API make a task for each of `items`, as the workflow's plan says, and returns their names.

    Asked again, after a redelivery, it gets the same ones. Celery's task of this name replaces itself by
    them; by hand there is none, since the store makes the tasks when the list arrives.
    """
    if context.api is None:
        raise TypeError("dmap needs the API")
    return [made["node"] for made in context.api.post("nodes", {"items": items})["nodes"]]
