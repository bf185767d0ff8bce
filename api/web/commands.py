"""What goes before the commands that pages show, so that they work as they stand, in any shell on this machine."""

import shlex
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from api.services import services
from api.web.docs import ROOT
from lab.settings import Settings
from transports.methods import contender

PUBLIC_PASSWORD: Final = "qwerty"  # noqa: S105 - the broker's where nothing else is set, in README too
_NAMES: Final = {
    "rmq_url": "RMQ_URL",
    "api_url": "API_URL",
    "var": "LAB_VAR",
    "celery_broker_url": "CELERY_BROKER_URL",
    "result_backend": "RESULT_BACKEND",
}


def prelude() -> str:
    """The line that leads to the lab's folder, its Python and its addresses; nothing where it has no environment of
    its own there, as in a container."""
    if not (ROOT / ".venv" / "bin" / "python").exists():
        return ""
    return _prelude_of(services().settings)


def worker_command(method: str, delivery: str) -> str:
    """The command that starts a worker of this contender on this machine; "" where it needs none."""
    start = contender(method, delivery).start
    return start[0] if start else ""


def whole(command: str) -> str:
    """`command` with all that goes before it, in one line."""
    return " && ".join(filter(None, (prelude(), command)))


@lru_cache(maxsize=8)  # each page shows it several times
def _prelude_of(mine: Settings) -> str:
    # What follows from the settings before it is not repeated.
    given = {"LAB_VAR": str(ROOT / "var")}
    plain, shown = Settings.from_env(given), {}
    for field, name in _NAMES.items():
        if (value := str(getattr(mine, field))) != str(getattr(plain, field)):
            given[name], shown[name] = value, _without_password(value)
            plain = Settings.from_env(given)
    words = [
        'PATH="$PWD/.venv/bin:$PATH"',
        *(f"{name}={shlex.quote(value)}" for name, value in shown.items()),
    ]
    return f"cd {shlex.quote(str(ROOT))} && export {' '.join(words)}"


def _without_password(url: str) -> str:
    """`url` with the word PASSWORD where it has a password that is not known to everyone."""
    password = urlsplit(url).password if "://" in url else None
    return url if password in (None, "", PUBLIC_PASSWORD) else url.replace(f":{password}@", ":PASSWORD@", 1)
