"""Keys under which the same request, come again, is answered with what it made before.

Each key is told apart by where it came from, so that a program's is never taken for a form's.
"""

import re
from typing import Final

from werkzeug.exceptions import BadRequest

KEY_LENGTH: Final = 200
_FORM_KEY: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")


def idempotency_key(header: str | None) -> str | None:
    """The key that the header Idempotency-Key holds, told apart from those of forms; None without one.

    Raises:
        BadRequest: it is no key.
    """
    if header is None:
        return None
    if not (0 < len(header) <= KEY_LENGTH and header.isascii() and header.isprintable()):
        raise BadRequest(f"Idempotency-Key takes 1 to {KEY_LENGTH} printable ASCII characters")
    return f"api:{header}"


def form_key(form: str, typed: str) -> str | None:
    """The key that the form named `form` sent as `typed`; None where that is no key."""
    return f"{form}:{typed}" if _FORM_KEY.fullmatch(typed) else None
