"""What a server says in refusal, or half of an answer, is never taken for the content of a file."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from etl.errors import ServerError
from etl.servers import hdfs as hdfs_module
from etl.servers.hdfs import Hdfs
from etl.settings import Settings

REFUSED = {"RemoteException": {"exception": "StandbyException", "message": "the DataNode is not ready"}}
GONE = {"RemoteException": {"exception": "FileNotFoundException", "message": "File does not exist: /a/file"}}
ROWS = b'{"a":1}\n{"a":2}\n'


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[Hdfs]:
    """A NameNode that answers every request so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_PUT = do_GET

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


def send(handler: BaseHTTPRequestHandler, status: int, content: bytes, length: int | None = None) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(content) if length is None else length))
    handler.end_headers()
    handler.wfile.write(content)


@contextmanager
def answering(status: int, content: bytes, length: int | None = None) -> Iterator[Hdfs]:
    """A NameNode that sends its client on to a DataNode, which answers so."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.startswith("/webhdfs"):
            handler.send_response(307)
            handler.send_header("Location", f"http://{handler.headers['Host']}/datanode")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        send(handler, status, content, length)

    with serving(answer) as hdfs:
        yield hdfs


@contextmanager
def namenode(answers: Mapping[tuple[str, str], tuple[int, Any]]) -> Iterator[Hdfs]:
    """A NameNode that answers (operation, path) with (status, document), and has no other file."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        place = urlsplit(handler.path)
        request = parse_qs(place.query)["op"][0], place.path.removeprefix("/webhdfs/v1/warehouse/")
        status, document = answers.get(request, (404, GONE))
        send(handler, status, json.dumps(document).encode())

    with serving(answer) as hdfs:
        yield hdfs


def entry(name: str, kind: str = "FILE") -> dict[str, Any]:
    return {"pathSuffix": name, "type": kind, "length": 3, "modificationTime": 1000}


def listing(*entries: dict[str, Any]) -> tuple[int, Any]:
    return 200, {"FileStatuses": {"FileStatus": list(entries)}}


def test_a_file_is_its_bytes() -> None:
    with answering(200, ROWS) as hdfs:
        assert hdfs.content("a", "file") == ROWS and hdfs.rows("a", "file") == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("status", [400, 403, 500, 503])
def test_the_refusal_of_a_datanode_is_an_error_and_no_content(status: int) -> None:
    reason = re.escape("/warehouse/a/file: the DataNode is not ready")
    with answering(status, json.dumps(REFUSED).encode()) as hdfs, pytest.raises(ServerError, match=reason):
        hdfs.content("a", "file")


def test_a_file_that_a_datanode_does_not_have_is_not_there() -> None:
    with answering(404, json.dumps(GONE).encode()) as hdfs, pytest.raises(FileNotFoundError):
        hdfs.content("a", "file")


def test_half_of_a_file_is_an_error_and_no_content() -> None:
    with answering(200, ROWS, length=2 * len(ROWS)) as hdfs, pytest.raises(ServerError, match="/warehouse/a/file"):
        hdfs.content("a", "file")


def test_the_files_below_a_folder_are_listed_but_for_hidden_ones() -> None:
    answers = {
        ("LISTSTATUS", "a"): listing(entry("b", "DIRECTORY"), entry("c"), entry(".d", "DIRECTORY"), entry("_e")),
        ("LISTSTATUS", "a/b"): listing(entry("f")),
        ("LISTSTATUS", "a/.d"): listing(entry("g")),
    }
    with namenode(answers) as hdfs:
        assert hdfs.files("a") == [("b/f", 3), ("c", 3)] and hdfs.files("z") == []


@pytest.mark.parametrize("broken", ["a", "a/b"])
@pytest.mark.parametrize("read", ["files", "changed_at"])
def test_a_folder_that_cannot_be_listed_is_an_error_and_not_empty(read: str, broken: str) -> None:
    """Otherwise a compaction would leave out the messages in it."""
    answers = {
        ("GETFILESTATUS", "a"): (200, {"FileStatus": entry("", "DIRECTORY")}),
        ("LISTSTATUS", "a"): listing(entry("b", "DIRECTORY"), entry("c")),
        ("LISTSTATUS", "a/b"): listing(entry("f")),
        ("LISTSTATUS", broken): (503, REFUSED),
    }
    with namenode(answers) as hdfs, pytest.raises(ServerError, match="the DataNode is not ready"):
        getattr(hdfs, read)("a")


@pytest.mark.parametrize(("status", "is_renamed"), [(200, False), (404, True), (503, None)])
def test_a_rename_whose_outcome_cannot_be_seen_is_an_error(status: int, is_renamed: bool | None) -> None:
    draft = {"FileStatus": entry("draft")} if status == 200 else GONE if status == 404 else REFUSED
    answers = {
        ("MKDIRS", "a"): (200, {"boolean": True}),
        ("RENAME", "draft"): (403, {"RemoteException": {"exception": "IOException", "message": "it exists"}}),
        ("GETFILESTATUS", "a/new"): (200, {"FileStatus": entry("new")}),
        ("GETFILESTATUS", "draft"): (status, draft),
    }
    with namenode(answers) as hdfs:
        if is_renamed is None:
            with pytest.raises(ServerError, match="the DataNode is not ready"):
                hdfs.rename_new(("draft",), ("a", "new"))
        else:
            assert hdfs.rename_new(("draft",), ("a", "new")) is is_renamed


def test_a_server_that_accepts_a_request_and_never_answers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdfs_module, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        address = f"127.0.0.1:{frozen.getsockname()[1]}"
        with pytest.raises(ServerError, match=f"HDFS does not answer at {address}"):
            Hdfs(Settings(webhdfs=f"http://{address}")).names("a")


def test_an_answer_of_another_kind_of_server_is_an_error() -> None:
    with namenode({("LISTSTATUS", "a"): (200, {"status": "ok"})}) as hdfs, pytest.raises(ServerError, match="refused"):
        hdfs.names("a")
