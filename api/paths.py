"""Where a page may send its reader next."""

import re

from flask import url_for


def own_path(target: str, otherwise: str | None = None) -> str:
    """`target` if it is a path of this site, else `otherwise`, by default the front page: no link may lead
    readers away."""
    own = target.isprintable() and re.fullmatch(r"/(?![/\\])[^\s\\]*", target)
    return target if own else otherwise or url_for("pages.index")
