"""Which language a page speaks, and how numbers and times look in it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from babel import dates, numbers
from flask import Flask, request
from flask_babel import Babel, get_locale, gettext

LANGUAGES: Final = {"en": "English", "ru": "Русский"}
DEFAULT: Final = "en"
COOKIE: Final = "lang"
# Where a comma stands before decimals. Elsewhere "1,234" may be meant as 1234 or as 1.234.
COMMA_LANGUAGES: Final = ("ru",)
TRANSLATIONS: Final = Path(__file__).resolve().parents[2] / "translations"

_DASH = "\N{EN DASH}"
_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def init_app(app: Flask) -> None:
    """Gives `app` its languages, and its templates what formats numbers and times."""
    Babel(app, default_translation_directories=str(TRANSLATIONS), locale_selector=choose_language)
    app.jinja_env.globals.update(LANGUAGES=LANGUAGES, language=language, local=local)
    app.jinja_env.filters.update(
        duration=duration, exact=exact, seconds=seconds, number=number, moment=moment, clock=clock
    )


def choose_language() -> str:
    """The language of this request: its cookie's, else the browser's wish, else English."""
    wish = request.cookies.get(COOKIE, "")
    if wish in LANGUAGES:
        return wish
    return request.accept_languages.best_match(list(LANGUAGES), DEFAULT)


def language() -> str:
    """The code of the language that is spoken now, such as "ru"; English outside a request."""
    locale = get_locale()
    return locale.language if locale is not None else DEFAULT


def number(value: float) -> str:
    """`value` with the language's decimal sign and groups: 1,234.5 or 1 234,5."""
    return numbers.format_decimal(value, locale=language())


def local(text: str) -> str:
    """`text`, a number with a point, as the language types it into a field."""
    return text.replace(".", ",") if language() in COMMA_LANGUAGES else text


def fixed(value: float, digits: int) -> str:
    """`value` with exactly `digits` decimals."""
    return numbers.format_decimal(value, format="#,##0." + "0" * digits, locale=language())


def duration(value: float | None) -> str:
    """Measured seconds, for reading at a glance: 12 ms, 5.0 s, 5,0 с; a dash for None."""
    if value is None:
        return _DASH
    if value < 0.9995:
        return f"{value * 1000:.0f}{_NO_BREAK_SPACE}{gettext('ms')}"
    return f"{fixed(value, 1)}{_NO_BREAK_SPACE}{gettext('s')}"


def exact(value: float | None) -> str:
    """Measured seconds, to the millisecond: 5.012 s; a dash for None."""
    return _DASH if value is None else f"{fixed(value, 3)}{_NO_BREAK_SPACE}{gettext('s')}"


def seconds(value: float | None) -> str:
    """Seconds that were asked for, with no more decimals than they have: 5 s; a dash for None."""
    return _DASH if value is None else f"{number(value)}{_NO_BREAK_SPACE}{gettext('s')}"


def moment(iso: str) -> str:
    """The date and time, in UTC, of an ISO 8601 time with its zone: 21 Nov 2026, 05:14:19."""
    at = datetime.fromisoformat(iso)
    return f"{dates.format_date(at, 'd MMM y', locale=language())}, {at:%H:%M:%S}"


def clock(iso: str) -> str:
    """The time of day, in UTC and to the millisecond, of an ISO 8601 time with its zone."""
    at = datetime.fromisoformat(iso)
    return f"{at:%H:%M:%S}{'.,'[language() == 'ru']}{at.microsecond // 1000:03}"


def plural_forms(form: Callable[[int], str]) -> dict[str, str]:
    """What `form` (a call of ngettext) says for each plural category of English and Russian, by the
    names that a browser's Intl.PluralRules gives them."""
    return {"one": form(1), "few": form(2), "many": form(5), "other": form(5)}
