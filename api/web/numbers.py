"""Numbers as people type them: read, or left as they are for the form to refuse, and never changed in silence.

static/web/number.js reads by the same rules; a test holds the two against each other.
"""

import re
import unicodedata
from math import isfinite
from typing import Any, Final

from api.web.i18n import COMMA_LANGUAGES, language
from api.web.wording import gettext
from lab.values import MAX_WHOLE

_NUMBER: Final = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
_GROUPS: Final = re.compile(r"[+-]?\d{1,3}( \d{3})+([.,]\d+)?", re.ASCII)
_WHOLE: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_THOUSAND: Final = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_PAIR: Final = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_SIGNS: Final = str.maketrans({"\N{MINUS SIGN}": "-", "\N{ARABIC DECIMAL SEPARATOR}": "."})


def typed(text: str, *, whole: bool = False) -> int | float | str:
    """The number that `text` is, a `whole` one if asked for; `text` where it is none, or two are possible."""
    plain = _plain(text)
    if _is_thousand(text) or not _NUMBER.fullmatch(plain):
        return text
    if _WHOLE.fullmatch(plain):
        return int(plain) if whole else float(plain)
    value = float(plain.replace(",", "."))
    if not isfinite(value) or (whole and not (value.is_integer() and abs(value) < MAX_WHOLE)):
        return text
    return int(value) if whole else value


def typed_list(text: str) -> list[Any]:
    """The numbers in `text`, as `typed` reads each, separated by spaces, semicolons, or commas with a space after
    them or with several in a row."""
    found: list[Any] = []
    for part in re.split(r"[\s;]+", text):
        part = part.strip(",")
        pieces = part.split(",") if part.count(",") > 1 else [part]
        found += [piece if _is_pair(piece) else typed(piece) for piece in pieces if piece]
    return found


def two_ways(text: str) -> str:
    """What to say of `text`, of one number or several, where it can be read in two ways: a comma may begin decimals,
    part thousands, or part two numbers."""
    parts = (
        [text.strip()]
        if _is_thousand(text)
        else [part for part in re.split(r"[\s;]+", text) if _is_pair(part)]
    )
    if not parts:
        return ""
    plain = _plain(parts[0])
    other = plain.replace(",", "") if _is_thousand(plain) else plain.replace(",", " ")
    return said_two_ways(parts[0], other, plain.replace(",", "."))


def said_two_ways(text: str, one: str, other: str) -> str:
    """That `text` may mean the `one` or the `other`."""
    return gettext(
        "“%(typed)s” may mean two things: write %(one)s or %(other)s.", typed=text, one=one, other=other
    )


def for_scripts() -> dict[str, Any]:
    """What static/web/number.js needs."""
    return {
        "decimalComma": language() in COMMA_LANGUAGES,
        "twoWays": said_two_ways("{typed}", "{one}", "{other}"),
    }


def _is_thousand(text: str) -> bool:
    return language() not in COMMA_LANGUAGES and _THOUSAND.fullmatch(_plain(text)) is not None


def _is_pair(part: str) -> bool:
    return language() not in COMMA_LANGUAGES and _PAIR.fullmatch(_plain(part)) is not None


def _plain(text: str) -> str:
    """`text` with the digits 0 to 9 alone, no spaces around it, and none between groups of three."""
    text = "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in text)
    text = re.sub(r"\s", " ", text.strip().translate(_SIGNS))
    return text.replace(" ", "") if _GROUPS.fullmatch(text) else text
