"""Values as every door takes them: what store, broker, JSON and page can carry."""

from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime

from lab.clock import in_bounds

MAX_WHOLE: Final = 2**53  # as far as JSON's numbers are exact everywhere


def without_nul(text: str) -> str:
    """`text`, in which each NUL is a replacement character: PostgreSQL's text takes every character but this one."""
    return text.replace("\x00", "\ufffd")


Moment = Annotated[AwareDatetime, AfterValidator(in_bounds)]
"""A time with its zone, from 1970 to 2199."""
Text = Annotated[str, AfterValidator(without_nul)]
"""Text that any store can keep."""
