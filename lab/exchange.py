"""One exchange with the API over HTTP, as workers have it: what its answer means for the job that asks."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin

import requests

from lab.context import TemporaryError


def beside(api_url: str, path: str) -> str:
    """The address of `path` at the API whose callback is at `api_url` (the setting API_URL)."""
    return urljoin(f"{api_url.rstrip('/')}/", f"../{path}")


@contextmanager
def exchange(
    method: str, url: str, headers: Mapping[str, str], refused: type[Exception], **options: Any
) -> Iterator[requests.Response]:
    """The API's answer, for as long as the block lasts. `options` are those of `requests.Session.request`.

    Raises:
        refused: the API says no.
        TemporaryError: the API is in trouble.
        requests.RequestException: it does not answer (an OSError: the job is tried again).
    """
    with requests.Session() as session:
        session.trust_env = False
        with session.request(method, url, headers=headers, allow_redirects=False, **options) as answer:
            told = f"HTTP {answer.status_code} from the API for {url}"
            if answer.status_code >= 500 or answer.status_code == 429:
                raise TemporaryError(told)
            if answer.status_code >= 300:
                raise refused(f"{told}: {_detail(answer)}")
            yield answer


def _detail(answer: requests.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.reason
