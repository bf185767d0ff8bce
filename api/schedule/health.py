"""How the lab is, for its health check."""

from typing import Any, Final

from api.watch import Watch
from lab import amqp

FRESH_SECONDS: Final = 1.0


def look(watch: Watch) -> dict[str, Any]:
    """`troubles`, a sentence each, none where all is well; and `figures`, for the check's result."""
    seen = watch.refresh(FRESH_SECONDS)
    workers = {
        method: (n or 0) + (seen["naive_workers"][method] or 0) for method, n in seen["workers"].items()
    }
    troubles = []
    if not seen["store"]["up"]:
        troubles.append("the store does not answer")
    if not seen["broker"]["up"]:
        troubles.append("the API does not reach the broker")
    elif not workers["rabbitmq"]:
        troubles.append(
            f"no consumer is connected: nobody takes messages off the queue {amqp.RABBITMQ_QUEUE}"
        )
    figures = {
        "store": "up",
        "broker": "up",
        "celery_workers": workers["celery"],
        "consumers": workers["rabbitmq"],
        "outbox": seen["waiting"],
        "dead_letters": seen["dead_letters"],
    }
    return {"troubles": troubles, "figures": figures}
