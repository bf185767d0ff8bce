"""Code as HTML, with classes for its colours: https://pygments.org/docs/formatters/#HtmlFormatter"""

from functools import cache

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import JsonLexer, PythonLexer


@cache
def python(text: str) -> tuple[Markup, ...]:
    """Each line of a piece of Python."""
    return _lines(text, PythonLexer(stripnl=False))


def json(text: str) -> Markup:
    """A JSON document, as one piece."""
    return Markup("\n").join(_lines(text, JsonLexer(stripnl=False)))


def _lines(text: str, lexer: PythonLexer | JsonLexer) -> tuple[Markup, ...]:
    # The formatter closes what it opened at the end of each line.
    shown = highlight(text, lexer, HtmlFormatter(nowrap=True))
    return tuple(Markup(line) for line in shown.rstrip("\n").split("\n"))  # noqa: S704 - Pygments escapes
