"""HTTP servers on this machine that tests stand beside the lab."""

import http.server
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Self

import requests
from moto.server import ThreadedMotoServer


class LocalServer:
    """A server whose requests `handler` answers, each in a thread. Runs while it is entered."""

    def __init__(self, handler: type[http.server.BaseHTTPRequestHandler]) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.port: int = self._server.server_port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def s3_server(objects: Mapping[str, bytes], *buckets: str) -> Iterator[str]:
    """The address of an S3 server whose `buckets` have these objects each."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    for bucket in buckets:
        requests.put(f"{url}/{bucket}", timeout=30).raise_for_status()
        for key, body in objects.items():
            requests.put(f"{url}/{bucket}/{key}", body, timeout=30).raise_for_status()
    yield url
    server.stop()


S3_LOGIN = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
"""Any login does: the environment of who reads from it."""
