"""The methods that the lab compares: a table of names, resolved when a name is first used."""

from importlib import import_module
from typing import Final

from lab.settings import Settings
from transports.base import ReportFor, SendError, Submission, Transport
from transports.methods import METHODS

TRANSPORTS: Final[dict[str, str]] = {name: method.transport for name, method in METHODS.items()}


def transport_class(name: str) -> type[Transport]:
    """The class of method `name`.

    Raises:
        KeyError: there is no such method.
    """
    module, _, attribute = TRANSPORTS[name].partition(":")
    found: type[Transport] = getattr(import_module(module), attribute)
    return found


def create_transport(name: str, settings: Settings, report_for: ReportFor) -> Transport:
    """A transport of method `name`; `report_for` gives the report function of jobs run in the request."""
    return transport_class(name)(settings, report_for)


__all__ = [
    "TRANSPORTS",
    "ReportFor",
    "SendError",
    "Submission",
    "Transport",
    "create_transport",
    "transport_class",
]
