"""A limit on the requests a minute from one address, counted within this process."""

import ipaddress
import math
import threading
import time
from collections import Counter
from typing import Final

from flask import request

SECONDS: Final = 60.0


class Limiter:
    """Takes `most` a minute from each address, and begins again each minute; 0 takes any number.

    https://datatracker.ietf.org/doc/html/rfc6585#section-4 has the answer to those beyond it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._began = -math.inf
        self._counts: Counter[str] = Counter()

    def take(self) -> int:
        """Counts this request; 0 where it may go on, else the seconds to wait."""
        if not self._most:
            return 0
        who = _address()
        with self._lock:
            now = time.monotonic()
            if now - self._began >= SECONDS:
                self._began = now
                self._counts.clear()
            if self._counts[who] >= self._most:
                return max(1, math.ceil(self._began + SECONDS - now))
            self._counts[who] += 1
            return 0

    def give_back(self) -> None:
        """Takes the counting of this request back."""
        with self._lock:
            self._counts[_address()] -= 1


def _address() -> str:
    """Who asks: an IPv4 address, or the network that an IPv6 customer gets as a whole."""
    text = request.remote_addr or ""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if address.version == 4:
        return text
    return str(ipaddress.ip_network((int(address), 64), strict=False))
