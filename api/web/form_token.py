"""The token that each page's forms carry, which another site cannot know.

It is Flask-WTF's, masked differently in each page, so that the lengths of compressed pages tell nothing of it (BREACH,
https://www.breachattack.com/). https://flask-wtf.readthedocs.io/en/1.3.x/csrf/
"""

import secrets
from collections.abc import Collection
from typing import Final

from flask import Blueprint, Flask, request
from flask_wtf.csrf import CSRFError, generate_csrf, validate_csrf
from itsdangerous import BadData, base64_decode, base64_encode
from wtforms import ValidationError

FIELD: Final = "csrf_token"


def init_app(app: Flask, without: Collection[Blueprint]) -> None:
    """Has every form of `app` carry the token, and refuses those that do not; the blueprints `without` have no forms.

    Raises in a request:
        CSRFError: the token is missing or another session's.
    """
    app.config.setdefault("WTF_CSRF_ENABLED", True)
    app.jinja_env.globals[FIELD] = masked_token

    @app.before_request
    def check_token() -> None:
        is_read = request.method in ("GET", "HEAD", "OPTIONS")
        if is_read or not request.endpoint or not app.config["WTF_CSRF_ENABLED"]:
            return
        if app.blueprints.get(request.blueprint or "") in without:
            return
        try:
            validate_csrf(unmasked(request.form.get(FIELD, "")))
        except ValidationError as error:
            raise CSRFError(error.args[0]) from None


def masked_token() -> str:
    """The token of this page's forms: twice the same one never looks alike."""
    token = generate_csrf().encode()
    mask = secrets.token_bytes(len(token))
    return base64_encode(mask + _xor(mask, token)).decode()


def unmasked(text: str) -> str:
    """The token behind `text`; no token where `text` is not a masked one."""
    try:
        both = base64_decode(text)
    except BadData:
        return ""
    half = len(both) // 2
    return _xor(both[:half], both[half:]).decode(errors="replace")


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=False))
