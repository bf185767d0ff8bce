"""An API that takes statuses and does nothing else, for those who report."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Api:
    """A real HTTP server that answers as it is told and remembers what it got."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.connections: set[tuple[str, int]] = set()
        self.got_progress = threading.Event()
        self.updates: list[dict[str, Any]] = []
        self.posts = 0
        self.slow = 0.0
        self.status: str | None = None
        self.error: str | None = None
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                api.connections.add(self.client_address)
                api.posts += 1
                time.sleep(api.slow)
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                code = api.answers.pop(0) if api.answers else 200
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
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/update_task_status_api/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
