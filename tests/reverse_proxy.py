"""A reverse proxy before one server on this machine, as nginx or Traefik are, with faults that such proxies have."""

import http.client
import http.server
from typing import Any

from tests.local_server import LocalServer

_OF_ONE_CONNECTION = ("connection", "keep-alive", "transfer-encoding")


class ReverseProxy(LocalServer):
    """Hands requests for `prefix`/… on to the server at `port` as /…, and names what it took away; 404 for all
    else. Runs while it is entered.

    Attributes:
        refuses: an HTTP status that it answers by itself instead, while it is not None.
        cuts_above: the largest body in bytes; the connection of a larger one is closed without an answer.
    """

    def __init__(self, port: int, prefix: str = "") -> None:
        super().__init__(_handler(self, port, prefix))
        self.origin = f"http://127.0.0.1:{self.port}"
        self.refuses: int | None = None
        self.cuts_above = float("inf")


def _handler(proxy: ReverseProxy, port: int, prefix: str) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            if length > proxy.cuts_above:
                self.close_connection = True
                return
            body = self.rfile.read(length)
            if proxy.refuses is not None or not self.path.startswith(f"{prefix}/"):
                self.send_error(proxy.refuses or 404)
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            headers |= {
                "Host": f"127.0.0.1:{port}",
                "X-Forwarded-For": self.client_address[0],
                "X-Forwarded-Host": self.headers["Host"],
                "X-Forwarded-Proto": "http",
                "X-Forwarded-Prefix": prefix,
            }
            behind = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            behind.request(self.command, self.path.removeprefix(prefix), body, headers)
            answer = behind.getresponse()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _OF_ONE_CONNECTION:
                    self.send_header(name, value)
            self.end_headers()
            try:
                while piece := answer.read1():
                    self.wfile.write(piece)
            except OSError:
                pass  # the visitor, or the server, has gone
            finally:
                behind.close()

        do_POST = do_GET  # noqa: N815 - as http.server calls it

        def log_message(self, *_: Any) -> None: ...

    return Handler
