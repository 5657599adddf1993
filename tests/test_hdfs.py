"""What a server says in refusal, or half of an answer, is never taken for the content of a file."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from etl.errors import ServerError
from etl.servers.hdfs import Hdfs
from etl.settings import Settings

REFUSED = {"RemoteException": {"exception": "StandbyException", "message": "the DataNode is not ready"}}
ROWS = b'{"a":1}\n{"a":2}\n'


@contextmanager
def answering(status: int, content: bytes, length: int | None = None) -> Iterator[Hdfs]:
    """A NameNode that sends its client on to a DataNode, which answers so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/webhdfs"):
                self.send_response(307)
                self.send_header("Location", f"http://127.0.0.1:{server.server_port}/datanode")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(content) if length is None else length))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Hdfs(Settings(webhdfs=f"http://127.0.0.1:{server.server_port}"))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_file_is_its_bytes() -> None:
    with answering(200, ROWS) as hdfs:
        assert hdfs.content("a", "file") == ROWS and hdfs.rows("a", "file") == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("status", [400, 403, 500, 503])
def test_the_refusal_of_a_datanode_is_an_error_and_no_content(status: int) -> None:
    reason = re.escape("/warehouse/a/file: the DataNode is not ready")
    with answering(status, json.dumps(REFUSED).encode()) as hdfs, pytest.raises(ServerError, match=reason):
        hdfs.content("a", "file")


def test_a_file_that_a_datanode_does_not_have_is_not_there() -> None:
    gone = {"RemoteException": {"exception": "FileNotFoundException", "message": "File does not exist: /a/file"}}
    with answering(404, json.dumps(gone).encode()) as hdfs, pytest.raises(FileNotFoundError):
        hdfs.content("a", "file")


def test_half_of_a_file_is_an_error_and_no_content() -> None:
    with answering(200, ROWS, length=2 * len(ROWS)) as hdfs, pytest.raises(ServerError, match="/warehouse/a/file"):
        hdfs.content("a", "file")
