"""An API that takes statuses and does nothing else, for those who report."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lab.clock import now_us
from lab.status import API_MARK, API_TIME


class Api:
    """A real HTTP server that answers as it is told and remembers what it got.

    Attributes:
        behind: seconds by which its clock, which each answer tells, is behind this machine's; None to tell none.
        own: it answers as the API itself; otherwise as a gateway before it.
        bodies: what the next answers with 200 hold.
        most_bytes: larger requests are answered with 413.
        cut_bytes: the connection ends after larger requests.
        trickle: how many answers come two bytes a second.
    """

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.connections: set[tuple[str, int]] = set()
        self.got_progress = threading.Event()
        self.updates: list[dict[str, Any]] = []
        self.posts = 0
        self.slow = 0.0
        self.status: str | None = None
        self.error: str | None = None
        self.own = True
        self.bodies: list[bytes] = []
        self.most_bytes: int | None = None
        self.cut_bytes: int | None = None
        self.trickle = 0
        self.behind: float | None = None
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                api.connections.add(self.client_address)
                api.posts += 1
                time.sleep(api.slow)
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                if api.cut_bytes is not None and len(raw) > api.cut_bytes:
                    self.close_connection = True
                    return
                body = json.loads(raw)
                code = api.answers.pop(0) if api.answers else 200
                if api.most_bytes is not None and len(raw) > api.most_bytes:
                    code = 413
                results = []
                if code == 200:
                    api.updates += body["updates"]
                    results = [
                        {
                            "task_id": update["task_id"],
                            "applied": True,
                            "status": api.status or update["status"],
                            "error": api.error,
                        }
                        for update in body["updates"]
                    ]
                    if any(0 < (update.get("progress") or 0) < 1 for update in body["updates"]):
                        api.got_progress.set()
                data = json.dumps({"results": results}).encode()
                if code == 200 and api.bodies:
                    data = api.bodies.pop(0)
                self.send_response(code)
                if api.own:
                    self.send_header(API_MARK, "1")
                self._send_time()
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if api.trickle:
                    api.trickle -= 1
                    self._trickle(data)
                self.wfile.write(data)

            def do_OPTIONS(self) -> None:
                self.send_response(200)
                self._send_time()
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _send_time(self) -> None:
                if api.behind is not None:
                    self.send_header(API_TIME, str(now_us() - round(api.behind * 1e6)))

            def _trickle(self, data: bytes) -> None:
                try:
                    for byte in data:
                        self.wfile.write(bytes([byte]))
                        time.sleep(0.5)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/update_task_status_api/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
