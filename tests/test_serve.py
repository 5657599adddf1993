"""`serve`: the pages for this machine's own browser, and nothing for any other site or any slow client."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from browsing import opened
from playwright.sync_api import Browser, expect

from etl.errors import ServerError
from etl.pages.write import write
from etl.serve import serve
from etl.settings import PROJECT, Settings

REPORT = "<!DOCTYPE html><title>Report</title><main>The report</main>"


class Served:
    """A running server, to which any program may send."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.address = f"http://127.0.0.1:{port}"

    def get(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        """The path goes as it is: nothing here tidies it up."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"host": f"127.0.0.1:{self.port}", **headers})
            return Answer(connection.getresponse())

    def send(self, data: bytes) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.sendall(data)
        return connection


class Answer:
    """An answer, read to its end."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()


@contextlib.contextmanager
def serving(folder: Path, load: Callable[[], Settings] | None = None) -> Iterator[Served]:
    """The real server, in a thread."""
    with serve.listening(0) as listener:
        running = serve.server(folder, load or (lambda: Settings(home=folder.parent)))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert wait_until(lambda: running.started)
            yield Served(listener.getsockname()[1])
        finally:
            running.should_exit = True
            thread.join(30)
        assert not thread.is_alive()


def wait_until(is_so: Callable[[], bool], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not (holds := is_so()) and time.monotonic() < end:
        time.sleep(0.02)
    return holds


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("served")
    folder = home / "reports"
    (folder / "data_docs").mkdir(parents=True)
    (folder / "report.html").write_text(REPORT)
    (folder / "data_docs" / "index.html").write_text(REPORT)
    (folder / ".report.html.half").write_text("half")
    (home / "secret").write_text("a secret")
    (home / "secrets").mkdir()
    (home / "secrets" / "index.html").write_text("a secret")
    (folder / "out").symlink_to(home / "secret")
    (folder / "folder").symlink_to(home / "secrets")
    (folder / "relative.html").symlink_to("../secret")
    (folder / "round.html").symlink_to("round.html")
    return folder


@pytest.fixture(scope="module")
def served(reports: Path) -> Iterator[Served]:
    with serving(reports) as site:
        yield site


# Pages


def test_pages_are_served_from_their_folder_and_from_nowhere_else(served: Served) -> None:
    assert served.get("/report.html").text == served.get("/data_docs/").text == REPORT
    for path in [
        "/../secret", "/%2e%2e/secret", "/..%2fsecret", "/data_docs/../../secret", "/data_docs/%2e%2e/%2e%2e/secret",
        "//etc/passwd", "/%2fetc/passwd", "/out", "/folder", "/folder/", "/folder/index.html", "/relative.html",
        "/round.html", "/.report.html.half", "/report.html%00", "/..%5csecret", "/missing", "/%ff", "/" + "a" * 5000,
        "/../reports/.report.html.half",
    ]:  # fmt: skip
        answer = served.get(path)
        assert answer.status == 404 and "a secret" not in answer.text and "half" not in answer.text, path
        assert answer.text == "there is no such page; the start page at / lists them\n"


def test_a_missing_start_page_names_the_command_that_writes_it(tmp_path: Path) -> None:
    with serving(tmp_path / "reports") as served:
        assert served.get("/").text == "there is no start page yet; ./warehouse docs writes it\n"
        write(tmp_path / "reports" / "index.html", REPORT)
        assert served.get("/").text == REPORT


@pytest.mark.parametrize(
    ("path", "method"),
    [("/report.html", "GET"), ("/report.html", "HEAD"), ("/data_docs", "GET"), ("/missing", "GET"), ("/", "POST")],
)
def test_every_answer_keeps_the_browser_in_bounds(served: Served, path: str, method: str) -> None:
    headers = served.get(path, method).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "http:" not in policy
    script = re.search(r"script-src ([^;]+)", policy)
    assert script and "unsafe" not in script[1]
    assert headers["x-content-type-options"] == "nosniff" and headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["referrer-policy"] == "no-referrer" and "access-control-allow-origin" not in headers


def test_headers_come_with_the_refusal_of_a_foreign_host_too(served: Served) -> None:
    answer = served.get("/report.html", host="evil.example")
    assert answer.status == 400 and answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "127.0.0.2", "[::1]", "localhost.", "a b"]
)
def test_another_name_for_this_address_gets_nothing(served: Served, host: str) -> None:
    answer = served.get("/report.html", host=host)
    assert answer.status == 400 and "The report" not in answer.text


def test_this_machines_own_names_are_served(served: Served) -> None:
    for host in ("localhost", f"localhost:{served.port}", "127.0.0.1"):
        assert served.get("/report.html", host=host).text == REPORT


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_no_method_but_get_and_head_is_answered(served: Served, method: str) -> None:
    answer = served.get("/report.html", method)
    assert answer.status == 405 and answer.headers["allow"] == "GET, HEAD" and "The report" not in answer.text
    assert served.get("/report.html", "HEAD").text == ""


def test_what_is_not_http_gets_no_answer_and_does_no_harm(served: Served) -> None:
    for data in (b"\x00" * 100, b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"G" * 100_000):
        with contextlib.closing(served.send(data)) as connection, contextlib.suppress(ConnectionError):
            answer = connection.recv(1000)
            assert answer == b"" or (answer.startswith(b"HTTP/1.1 400") and b"nosniff" in answer)
    assert served.get("/report.html").status == 200


def test_a_body_without_end_is_not_taken(served: Served) -> None:
    head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with contextlib.closing(served.send(head.encode())) as connection:
        connection.settimeout(1)
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 200 << 20:
                connection.sendall(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n")
                sent += 1 << 20
        assert sent < 50 << 20
    assert served.get("/report.html").status == 200


def test_metrics_of_no_servers_say_which_do_not_answer(served: Served) -> None:
    """Two scrapes at once are one reading."""
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: served.get("/metrics").text, range(2))
    assert "warehouse_unknown_count 2.0" in first and "warehouse_lag_messages " not in first and first == second


# Clients that take their time


SLOW = {
    "says nothing": b"",
    "sends half a request": b"GET /report.html HTTP/1.1\r\nHost: 127.0.0.1\r\nX-",
    "reads no answer": b"GET /large.html HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
}


@pytest.mark.parametrize("kind", SLOW)
def test_slow_clients_cannot_hold_the_server_for_good(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than are served at a time; each is ended by its deadline, and who comes then is served."""
    monkeypatch.setattr(serve, "CONNECTION_SECONDS", 3.0)
    monkeypatch.setattr(serve, "MOST_CONNECTIONS", 5)
    (tmp_path / "report.html").write_text(REPORT)
    (tmp_path / "large.html").write_bytes(b"x" * (20 << 20))
    with serving(tmp_path) as served, contextlib.ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(contextlib.closing(served.send(SLOW[kind])))
        assert served.get("/report.html").status == 503
        assert wait_until(lambda: served.get("/report.html").status == 200)


def test_more_sockets_than_the_server_keeps_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "MOST_SOCKETS", 5)
    with serving(tmp_path) as served, contextlib.ExitStack() as stack:
        opened = [stack.enter_context(contextlib.closing(served.send(b""))) for _ in range(8)]
        with contextlib.suppress(ConnectionResetError):
            assert opened[-1].recv(1) == b""


# In a browser


def test_a_page_runs_the_projects_own_script_and_no_other(tmp_path: Path, browser: Browser) -> None:
    own = (PROJECT / "etl" / "pages" / "report.js").read_text(encoding="utf-8")
    body = f"<!DOCTYPE html><title>x</title><link rel=icon href=data:,><main>text</main><script>{own}</script>"
    (tmp_path / "report.html").write_text(body)
    (tmp_path / "made.html").write_text(body + "<script>document.title = 'ran'</script>")
    with serving(tmp_path) as served:
        with opened(browser, f"{served.address}/report.html") as page:
            expect(page.locator(".tip")).to_have_count(1)
        page = browser.new_page()
        page.goto(f"{served.address}/made.html")
        expect(page.locator(".tip")).to_have_count(1)
        assert page.title() == "x"
        page.close()


# The command


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_its_address_and_ends_cleanly(end: signal.Signals, tmp_path: Path) -> None:
    command = subprocess.Popen(
        [PROJECT / "warehouse", "serve", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "WAREHOUSE_HOME": str(tmp_path), "NO_COLOR": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    )
    try:
        assert command.stderr
        port = re.match(r"http://127\.0\.0\.1:(\d+)/ ", line := command.stderr.readline())
        assert port, line
        assert Served(int(port[1])).get("/").status == 404
        with pytest.raises(ServerError, match="give another --port"), serve.listening(int(port[1])):
            pass
        command.send_signal(end)
        assert command.communicate(timeout=20)[1] == "ended\n" and command.returncode == 0
    finally:
        command.kill()
