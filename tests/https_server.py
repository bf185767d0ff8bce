"""An HTTPS server on this machine with a certificate of its own, for `localhost`."""

import http.server
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.local_server import LocalServer


class HTTPSServer(LocalServer):
    """Gives `files` by their paths and leads on by `redirects`; 404 for all else. Runs while it is entered.

    Attributes:
        certificate: what a client has to trust, a PEM file below `base`.
    """

    def __init__(
        self, base: Path, files: Mapping[str, bytes], redirects: Mapping[str, str] | None = None
    ) -> None:
        self.certificate, key = base / "certificate.pem", base / "key.pem"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
        command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        command += ["-keyout", str(key), "-out", str(self.certificate)]
        subprocess.run(command, check=True, capture_output=True)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.certificate, key)
        super().__init__(_handler(files, redirects or {}))
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://localhost:{self.port}"


def _handler(
    files: Mapping[str, bytes], redirects: Mapping[str, str]
) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = files.get(self.path, b"")
            self.send_response(302 if self.path in redirects else 200 if self.path in files else 404)
            if self.path in redirects:
                self.send_header("Location", redirects[self.path])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    return Handler
