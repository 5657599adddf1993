"""A receiver of notifications: a real HTTP server on this machine that is slow or answers any code."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """An HTTP server that keeps what it gets, and answers with `code` once `answers` is set."""

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []
        self.code = 200
        self.answers = threading.Event()
        self.answers.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                document = json.loads(self.rfile.read(int(self.headers["content-length"])))
                receiver.answers.wait(60)
                receiver.documents.append(document)
                with contextlib.suppress(OSError):
                    self.send_response(receiver.code)
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook/t0ken"

    @property
    def reports(self) -> list[tuple[str, bool]]:
        """(condition, whether it is good) of each document."""
        return [(document["condition"], document["is_good"]) for document in self.documents]


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that runs in a thread."""
    running = Receiver()
    thread = threading.Thread(target=running.server.serve_forever)
    thread.start()
    try:
        yield running
    finally:
        running.answers.set()
        running.server.shutdown()
        running.server.server_close()
        thread.join()
