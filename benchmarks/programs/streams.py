"""Holds open pages' streams: streams HOST PORT COUNT.

Prints `open` when all are, notes when which event reached which of them, and at a line of input, a list of
[change number, when it was sent], prints for each the seconds until the last stream had it, and its own
processor seconds.
"""

import json
import selectors
import socket
import sys
import time
from bisect import bisect_left
from itertools import accumulate

TRIES = 500
PAUSE_SECONDS = 0.02


class Stream:
    """One open page: the greatest change number that it has seen, and when."""

    def __init__(self, host: str, port: int) -> None:
        for _ in range(TRIES):  # a process of the API takes no more than 150 streams; the other one has room
            self.socket = socket.create_connection((host, port), 10)
            request = f"GET /events HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: text/event-stream\r\n\r\n"
            self.socket.sendall(request.encode())
            answer = self.socket.recv(65536).split(b"\r\n", 1)[0]
            if b" 200 " in answer:
                break
            self.socket.close()
            time.sleep(PAUSE_SECONDS)
        else:
            sys.exit(f"streams: the API takes no more of them: {answer.decode(errors='replace')}")
        self._rest = b""
        self.numbers: list[int] = []
        self.times: list[float] = []

    def read(self) -> bool:
        """Takes what has come; False at the end."""
        data = self.socket.recv(1 << 20)
        text = self._rest + data
        found, at = [], -1
        while (at := text.find(b"id: ", at + 1)) >= 0:  # a pattern would cost more than the socket
            number = text[at + 4 : at + 24].partition(b"\n")
            found += [int(number[0])] if number[1] and number[0].isdigit() else []
        if found:
            self.numbers.append(max(found))
            self.times.append(time.monotonic())
        # An event that began may not have shown its id yet.
        self._rest = text[-40:]
        return bool(data)

    def seen(self, number: int) -> float:
        """When it had the change `number`; infinity where it has not."""
        place = bisect_left(self._greatest, number)
        return self.times[place] if place < len(self.times) else float("inf")

    def close(self) -> None:
        """Ends it, to be asked."""
        self.socket.close()
        self._greatest = list(accumulate(self.numbers, max))


def main(host: str, port: int, count: int) -> None:
    streams = [Stream(host, port) for _ in range(count)]
    watched = selectors.DefaultSelector()
    for stream in streams:
        watched.register(stream.socket, selectors.EVENT_READ, stream)
    watched.register(sys.stdin, selectors.EVENT_READ, None)
    print("open", flush=True)
    while True:
        for key, _ in watched.select():
            if key.data is None:
                used = time.process_time()
                sent = json.loads(sys.stdin.readline())
                for stream in streams:
                    stream.close()
                delays = [max(stream.seen(number) for stream in streams) - at for number, at in sent]
                print(json.dumps({"delays": delays, "cpu_seconds": used}))
                return
            if not key.data.read():
                sys.exit("streams: the API ended one")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
