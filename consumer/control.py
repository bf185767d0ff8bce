"""Orders that reach every hand-written worker over the control exchange."""

import logging
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

logger = logging.getLogger(__name__)


class Cancel(BaseModel):
    """Stop this task if you are running it, and do not begin it if you are not."""

    command: Literal["cancel"]
    task_id: Annotated[str, Field(max_length=64)]


def control(cancel: Callable[[str], None]) -> Callable[[bytes], None]:
    """What a control message does: `cancel` is called with the task's id; others are logged and left."""

    def on_message(body: bytes) -> None:
        try:
            cancel(Cancel.model_validate_json(body).task_id)
        except ValidationError as error:
            logger.error("an order that is none: %s", error)

    return on_message
