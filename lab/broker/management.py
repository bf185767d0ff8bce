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
    broker = urlsplit(settings.rmq_url)
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(
            f"{settings.management_api_url.rstrip('/')}/api/{path}",
            auth=(unquote(broker.username or "guest"), unquote(broker.password or "guest")),
            timeout=timeout,
            allow_redirects=False,
        )
    if answer.status_code != 200:
        raise requests.HTTPError(f"the management API answers {answer.status_code}")
    return answer.json()
