"""Addresses of AMQP brokers: every form that Celery takes, brought to the one that all parts read alike."""

from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

_SCHEMES: Final = {"amqp": "amqp", "pyamqp": "amqp", "amqps": "amqps"}
FORM: Final = "takes an address such as amqp://user:password@host:5672/name (or amqps://)"


def normal(url: str) -> str:
    """`url` with `amqp` or `amqps` as its scheme, and the virtual host as Celery reads it in one piece behind the
    first slash: pika takes `//` for a virtual host without a name, Celery for `/`.

    Raises:
        ValueError: it is no such address, or asks for what not all parts can do; it never shows the address.
    """
    if ";" in url:
        raise ValueError(
            "takes the address of one broker: several, with ';' between them, are not read by all parts"
        )
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _SCHEMES and parts.port != 0
    except ValueError:  # a port that is no number
        usable = False
    if not usable:
        raise ValueError(FORM)
    if parts.fragment:
        raise ValueError("holds a '#': write it as %23")
    if parse_qsl(parts.query, keep_blank_values=True):
        raise ValueError("takes no options behind a '?': Celery and pika know different ones")
    if parts.username is not None and parts.password is None:
        raise ValueError("names a user without a password: write user:password@")
    path = f"/{quote(virtual_host(url), safe='')}"
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, "/" if path == "/%2F" else path, "", ""))


def virtual_host(url: str) -> str:
    """The virtual host that `url` names, as Celery reads it: `/` where it names none."""
    return unquote(urlsplit(url).path.removeprefix("/")) or "/"


def without_password(url: str) -> str:
    """`url` as it may be shown."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{f'{parts.username}@' if parts.username else ''}{host}{parts.path}"
