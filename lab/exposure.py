"""Who can reach what: addresses of this machine alone, and logins that everybody knows."""

import ipaddress
from typing import Final
from urllib.parse import unquote, urlsplit

# The lab's own, and RabbitMQ's; a URL without a login means the latter.
KNOWN_PASSWORDS: Final = frozenset({"qwerty", "guest"})


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches what listens on `address`; a name that is not `localhost`
    counts as reached by others."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def has_default_login(url: str) -> bool:
    """Whether the AMQP broker at `url` is entered by a password that everybody knows."""
    parts = urlsplit(url)
    if parts.scheme not in ("amqp", "amqps"):
        return False
    return parts.password is None or unquote(parts.password) in KNOWN_PASSWORDS
