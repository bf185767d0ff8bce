"""RabbitMQ's management API: https://www.rabbitmq.com/docs/http-api-reference"""

from typing import Any, Final
from urllib.parse import unquote, urlsplit

import requests

from lab.settings import Settings

CONNECT_READ_SECONDS: Final = (1.0, 3.0)


def ask(settings: Settings, path: str, timeout: tuple[float, float] = CONNECT_READ_SECONDS) -> Any:
    """The JSON that the management API has at `path`, such as "nodes".

    Args:
        timeout: seconds to connect, and to read.

    Raises:
        requests.RequestException: it does not answer, answers with an error, or answers no JSON.
    """
    return _call(settings, "GET", path, timeout).json()


def put(settings: Settings, path: str, document: dict[str, Any]) -> None:
    """Has the management API keep `document` at `path`.

    Raises:
        requests.RequestException: it does not answer, or answers with an error.
    """
    _call(settings, "PUT", path, CONNECT_READ_SECONDS, json=document)


def _call(
    settings: Settings, verb: str, path: str, timeout: tuple[float, float], **sent: Any
) -> requests.Response:
    broker = urlsplit(settings.rmq_url)
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(
            verb,
            f"{settings.management_api_url.rstrip('/')}/api/{path}",
            auth=(unquote(broker.username or "guest"), unquote(broker.password or "guest")),
            timeout=timeout,
            allow_redirects=False,
            **sent,
        )
    if answer.status_code not in (200, 201, 204):
        raise requests.HTTPError(f"the management API answers {answer.status_code}")
    return answer
