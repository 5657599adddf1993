"""`serve`: pages and questions for this machine's own browser, and nothing for any other site."""

from __future__ import annotations

import contextlib
import csv
import datetime
import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from browsing import WIDTHS, faults, is_wider_than_screen, opened
from pictures import keep
from playwright.sync_api import Browser, Page, expect
from slow_statements import SLOW, busy, wait_until
from slow_statements import server as process_of

from etl.errors import ServerError, UsageError
from etl.serve import picture
from etl.serve.answers import guarded
from etl.serve.asking import Limits
from etl.serve.guard import TOKEN
from etl.serve.serve import listening, server
from etl.servers.hive import Hive
from etl.settings import PROJECT, Settings

REPORT = "<!DOCTYPE html><title>Report</title><main>The report</main>"


class Served:
    """A running server, asked over HTTP as any program may."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        found = re.search(r'name="token" content="([^"]+)"', self.get("/ask").text)
        assert found
        self.own = {TOKEN: found[1], "content-type": "application/json"}

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, headers)

    def post(self, path: str, body: Any) -> Any:
        answer = self.send("POST", path, self.own, json.dumps(body))
        return answer.status, json.loads(answer.text)

    def send(self, method: str, path: str, headers: dict[str, str], body: Any = None) -> Answer:
        """The path goes as it is: nothing here tidies it up."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"host": f"127.0.0.1:{self.port}", **headers})
            return Answer(connection.getresponse())

    def ask(self, sql: str) -> dict[str, Any]:
        """What came of a statement."""
        _, question = self.post("/api/questions", {"sql": sql})
        return self.ended(question["id"])

    def ended(self, id_: str) -> dict[str, Any]:
        end = time.monotonic() + 60
        while (found := json.loads(self.get(f"/api/questions/{id_}").text))["state"] == "running":
            assert time.monotonic() < end, found
            time.sleep(0.05)
        return dict(found)

    def asked(self) -> list[dict[str, Any]]:
        return list(json.loads(self.get("/api/questions").text)["questions"])


class Answer:
    """An answer, read to its end."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()


@contextlib.contextmanager
def serving(settings: Settings, limits: Limits | None = None) -> Iterator[Served]:
    """The real server, in a thread."""
    with listening(0) as listener:
        running = server(settings, listener, limits)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert wait_until(lambda: running.started)
            yield Served(listener.getsockname()[1])
        finally:
            running.should_exit = True
            thread.join(30)
        assert not thread.is_alive()


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """A server that accepts and says nothing: whoever asks it waits."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("served")
    (home / "reports" / "data_docs").mkdir(parents=True)
    (home / "reports" / "report.html").write_text(REPORT)
    (home / "reports" / "data_docs" / "index.html").write_text(REPORT)
    (home / "reports" / ".report.html.half").write_text("half")
    (home / "secret").write_text("a secret")
    (home / "reports" / "out").symlink_to(home / "secret")
    return home


@pytest.fixture(scope="module")
def served(home: Path) -> Iterator[Served]:
    """One that no SQL server stands behind."""
    with serving(Settings(home=home, spark_thrift="127.0.0.1:1", hive_user="ada")) as found:
        yield found


# Pages


def test_the_start_page_links_what_is_there_and_says_what_makes_the_rest(served: Served) -> None:
    text = served.get("/").text
    assert '<a href="/ask">' in text and '<a href="/report.html">' in text and "./warehouse report" not in text
    assert '<a href="/validation.html">' not in text and "./warehouse validate" in text and "./warehouse docs" in text


def test_the_start_page_of_docs_takes_its_place_with_a_way_to_ask(tmp_path: Path) -> None:
    with serving(Settings(home=tmp_path)) as served:
        assert served.get("/report.html").status == 404
        (tmp_path / "reports").mkdir()
        (tmp_path / "reports" / "index.html").write_text('<title>All</title><ul class="cards"><li>Report</ul>')
        assert '<ul class="cards"><li><h2><a href="/ask">Ask in SQL</a></h2>' in served.get("/").text
        assert served.get("/index.html").status == 200


def test_pages_are_served_from_their_folder_and_from_nowhere_else(served: Served) -> None:
    assert served.get("/report.html").text == served.get("/data_docs/").text == REPORT
    for path in [
        "/../secret", "/%2e%2e/secret", "/..%2fsecret", "/data_docs/../../secret", "/data_docs/%2e%2e/%2e%2e/secret",
        "//etc/passwd", "/%2fetc/passwd", "/out", "/.report.html.half", "/report.html%00", "/..%5csecret", "/missing",
    ]:  # fmt: skip
        answer = served.get(path)
        assert answer.status == 404 and "a secret" not in answer.text, path
        assert f"{served.address}/ lists the pages" in answer.text


@pytest.mark.parametrize("path", ["/", "/ask", "/ask.js", "/ask.css", "/report.html", "/api/shelf", "/missing"])
def test_every_answer_keeps_the_browser_in_bounds(served: Served, path: str) -> None:
    found = served.get(path).headers
    policy = found["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "http:" not in policy
    assert found["x-content-type-options"] == "nosniff" and found["cross-origin-resource-policy"] == "same-origin"
    assert found["referrer-policy"] == "no-referrer" and "access-control-allow-origin" not in found
    if path == "/ask":
        assert "unsafe-inline" not in policy
    if path == "/report.html":
        assert "sandbox" in policy and "allow-same-origin" not in policy


# Who may ask


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example:80"},
        {"host": "127.0.0.1"},
        {"host": "127.0.0.1:1"},
        {"host": ""},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {TOKEN: ""},
        {TOKEN: "x"},
        {TOKEN: "\u00fc"},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-length": "-1"},
        {"content-length": "9999999"},
        {"content-length": "", "transfer-encoding": "chunked"},
    ],
    ids=str,
)
def test_a_question_from_anywhere_else_is_refused_and_not_asked(served: Served, headers: dict[str, str]) -> None:
    answer = served.send("POST", "/api/questions", served.own | headers, b'{"sql": "SELECT 42"}')
    assert answer.status in (400, 403) and "SELECT 42" not in str(served.asked())


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"])
def test_no_other_method_is_answered(served: Served, method: str) -> None:
    assert served.send(method, "/api/questions", served.own).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_reads_nothing_but_may_link_to_the_pages(served: Served, site: str) -> None:
    assert served.get("/api/shelf", **{"sec-fetch-site": site}).status == 403
    assert served.get("/ask", **{"sec-fetch-site": site}).status == 200


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"{}", b'{"sql": 1}', b'{"sql": null}', b"\xff", b"[" * 9999]
)
def test_what_is_no_question_is_told_so(served: Served, body: bytes) -> None:
    answer = served.send("POST", "/api/questions", served.own, body)
    assert answer.status == 400 and json.loads(answer.text)["error"].startswith("a question")


def test_another_sites_page_cannot_ask(served: Served, browser: Browser) -> None:
    """By a request without leave, by a form, and by a picture: nothing of it becomes a question."""
    target = f"{served.address}/api/questions"
    attack = f"""<!DOCTYPE html><title>waiting</title><iframe name=i></iframe><img src={target}>
        <form id=f method=post enctype=text/plain target=i action={target}>
        <input name='{{"sql": "SELECT 43", "x": "' value='"}}'></form>
        <script>f.submit(); fetch("{target}", {{method: "POST", mode: "no-cors", body: '{{"sql": "SELECT 43"}}'}})
        .finally(() => fetch("{served.address}/ask").then(() => document.title = "read", () => document.title = "no"))
        </script>""".encode()

    class Attacker(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(attack)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Attacker) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://localhost:{other.server_port}/")
        expect(page).not_to_have_title("waiting")
        assert page.title() == "no"
        page.close()
        other.shutdown()
    assert "SELECT 43" not in str(served.asked())


def test_a_script_in_a_page_made_of_data_runs_but_reaches_nothing(served: Served, home: Path, browser: Browser) -> None:
    (home / "reports" / "made.html").write_text(
        "<!DOCTYPE html><title>waiting</title><script>"
        "fetch('/ask').then(() => document.title = 'read', () => document.title = `${origin}: no`)</script>"
    )
    page = browser.new_page()
    page.goto(f"{served.address}/made.html")
    expect(page).not_to_have_title("waiting")
    assert page.title() == "null: no"
    page.close()


# Questions without a server behind


def test_a_refused_statement_is_kept_with_its_reason_and_sent_nowhere(tmp_path: Path) -> None:
    with silent() as address, serving(Settings(home=tmp_path, spark_thrift=address)) as served:
        found = served.ask("DROP TABLE flat.attempts_v1")
    assert found["state"] == "failed" and found["error"].startswith("this page only reads and does not send DROP; ")


def test_a_server_that_does_not_answer_is_told_in_one_line(served: Served) -> None:
    found = served.ask("SELECT 1")
    assert found["state"] == "failed" and "spark at 127.0.0.1:1" in found["error"] and "\n" not in found["error"]
    file = served.get(f"/api/questions/{found['id']}/rows.csv")
    assert file.status == 400 and "has no rows" in file.text
    assert served.get("/api/questions/none").status == 400


def test_so_many_run_at_once_and_so_many_are_kept(tmp_path: Path) -> None:
    with silent() as address:
        given = Settings(home=tmp_path, spark_thrift=address, hive_connect_seconds=2)
        with serving(given, Limits(at_once=2, past=3)) as served:
            first, second = (served.post("/api/questions", {"sql": f"SELECT {n}"})[1]["id"] for n in (1, 2))
            code, refused = served.post("/api/questions", {"sql": "SELECT 3"})
            assert code == 400 and refused["error"].startswith("2 questions are running, no more run at once; ")
            assert served.post(f"/api/questions/{second}/cancel", {})[1]["is_given_up"]
            assert served.ended(second)["state"] == "cancelled" and served.ended(first)["state"] == "failed"
            for n in range(4):
                served.ask(f"DROP TABLE t{n}")
            assert [one["sql"] for one in served.asked()] == ["DROP TABLE t3", "DROP TABLE t2", "DROP TABLE t1"]


def test_a_spreadsheet_gets_no_formula() -> None:
    row = ["=1+1", "+A1", "-A1", "@x", "\t=1", "\r=1", "-5", "+3.5%", "a=1", "", None, -5, "é"]
    found = guarded(row)
    assert found[:6] == ["'=1+1", "'+A1", "'-A1", "'@x", "'\t=1", "'\r=1"] and found[6:] == row[6:]


DAY = datetime.date(2018, 1, 1)
DAYS = [DAY + datetime.timedelta(days=n) for n in range(4)]


@pytest.mark.parametrize(
    ("columns", "rows", "expected"),
    [
        (["day", "n"], [(day, 1) for day in DAYS], ("line", "day", "n", "")),
        (["day", "kind", "n"], [(day, kind, 1) for day in DAYS for kind in "ab"], ("line", "day", "n", "kind")),
        (["name", "n"], [("a long name of an exam", 1), ("b", 2)], ("bar", "n", "name", "")),
        (["name", "n"], [("a", 1), ("b", 2)], ("column", "name", "n", "")),
        (["name", "n"], [("a", 1), ("a", 2)], ("none", "", "", "")),
        (["hour", "n"], [(1, 5), (2, 6)], ("column", "hour", "n", "")),
        (
            ["weekday", "hour", "n"],
            [(day, hour, 1) for day in "ab" for hour in (1, 2, 3)],
            ("heatmap", "hour", "weekday", "n"),
        ),
        (
            ["weekday", "hour", "n"],
            [(day, hour, 1) for day in (1, 2) for hour in (1, 2, 3)],
            ("heatmap", "hour", "weekday", "n"),
        ),
        (["a", "b", "c", "d", "e", "f"], [(1, 2, 3, 4, 5, "x"), (1, 2, 3, 4, 5, "y")], ("none", "", "", "")),
        (["name", "n"], [("a", 1)], ("none", "", "", "")),
        (["name", "n"], [], ("none", "", "", "")),
        (["name", "text"], [("a", "b"), ("c", "d")], ("none", "", "", "")),
        (["n", "n"], [(1, 2), (3, 4)], ("none", "", "", "")),
        (["name", "n"], [("a", None), ("b", None)], ("none", "", "", "")),
    ],
)
def test_a_fitting_chart_is_proposed_and_can_be_drawn(columns: Any, rows: Any, expected: Any) -> None:
    chart = picture.proposed(columns, rows)
    assert (chart.kind, chart.x, chart.y, chart.color) == expected
    if chart.kind != "none":
        assert picture.drawn(vars(chart), columns, rows).startswith("<svg")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "no chart of kind 'none'"),
        ({"kind": "pie"}, "no chart of kind 'pie'"),
        ({"kind": "bar", "x": "n"}, "needs a column for y"),
        ({"kind": "bar", "x": "name", "y": "n"}, "measures by name, which is not a number"),
        ({"kind": "bar", "x": "n", "y": "nothing"}, "draws the column nothing"),
        ({"kind": "bar", "x": "n", "y": "name"}, "several rows have the same name"),
    ],
)
def test_a_chart_that_cannot_be_drawn_is_told(given: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        picture.drawn(given, ["name", "n"], [("a", 1), ("a", 2)])


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
        port = re.match(r"http://127\.0\.0\.1:(\d+)/ ", said := command.stderr.readline())
        assert port, said
        assert Served(int(port[1])).get("/").status == 200
        with pytest.raises(ServerError, match="give another --port"), listening(int(port[1])):
            pass
        command.send_signal(end)
        assert command.communicate(timeout=20)[1] == "ended\n" and command.returncode == 0
    finally:
        command.kill()


# The page, in a browser


@pytest.mark.parametrize("path", ["/", "/ask"])
def test_a_page_opens_without_a_fault(served: Served, browser: Browser, path: str) -> None:
    with opened(browser, served.address + path) as page:
        if path == "/ask":
            expect(page.locator("#examples li")).not_to_have_count(0, timeout=30000)
            expect(page.locator("#tables details")).not_to_have_count(0)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert faults(page) == [] and not is_wider_than_screen(page)


def test_an_example_fills_the_box_and_a_name_goes_to_the_cursor(served: Served, browser: Browser) -> None:
    with opened(browser, f"{served.address}/ask") as page:
        page.get_by_role("button", name="How many people took Learning Git?").click(timeout=30000)
        assert page.input_value("#sql").startswith("SELECT\n    'Learning Git' AS exam_name,")
        page.fill("#sql", "SELECT * FROM ")
        page.get_by_text("marts.exams", exact=True).first.click()
        page.get_by_role("button", name="marts.exams").click()
        assert page.input_value("#sql") == "SELECT * FROM marts.exams"
        expect(page.get_by_text("Attempts that have a score", exact=True)).to_be_visible()


def test_a_refusal_is_shown_and_listed(served: Served, browser: Browser) -> None:
    with opened(browser, f"{served.address}/ask") as page:
        typed(page, "DROP TABLE <b>flat.attempts_v1</b>")
        expect(page.get_by_role("status")).to_contain_text("only reads and does not send DROP", timeout=30000)
        expect(page.locator("#past li").first).to_contain_text("DROP TABLE <b>flat.attempts_v1</b>", timeout=30000)
        assert page.locator("#past b").count() == 0 and faults(page) == []


def typed(page: Page, sql: str) -> None:
    page.fill("#sql", sql)
    page.keyboard.press("Control+Enter")


# On the stack


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("engine", ["spark", "hive"])
def test_a_question_typed_in_the_page_gives_the_right_answer(
    settings: Settings, browser: Browser, engine: str, request: pytest.FixtureRequest
) -> None:
    asked = "SELECT exam_name, SUM(attempt_count) AS attempts FROM marts.exams GROUP BY exam_name ORDER BY 2 DESC, 1"
    given = settings.model_copy(update={"engine": engine})
    with Hive(given) as hive:
        expected = [[str(value) for value in row] for row in hive.query(asked).rows]
    with serving(given, Limits(rows=20)) as served, opened(browser, f"{served.address}/ask") as page:
        typed(page, asked)
        expect(page.get_by_role("status")).to_contain_text("20 rows, the first of more", timeout=60000)
        found = [one.split("\t") for one in page.locator("#rows tbody").inner_text().split("\n")]
        assert found == expected[:20]
        expect(page.locator("#chart")).to_be_visible(timeout=30000)
        with page.expect_download() as download:
            page.click("#file")
        text = Path(download.value.path()).read_text(encoding="utf-8")
        assert list(csv.reader(io.StringIO(text))) == [["exam_name", "attempts"], *expected]
        if request.config.getoption("--write-docs"):
            keep(page, "ask-1280")
            page.set_viewport_size({"width": 390, "height": 900})
            keep(page, "ask-390")
        assert faults(page) == []


@pytest.mark.usefixtures("built")
def test_hostile_values_are_shown_as_text(settings: Settings, browser: Browser) -> None:
    with serving(settings) as served, opened(browser, f"{served.address}/ask", 390) as page:
        typed(page, "SELECT '<img src=x onerror=alert(1)>' AS `<b>x</b>`, '=1+1' AS formula, NULL AS nothing")
        expect(page.locator("#rows td").first).to_have_text("<img src=x onerror=alert(1)>", timeout=60000)
        assert page.locator("#rows th").first.inner_text() == "<b>x</b>" and page.locator("#rows b").count() == 0
        assert not is_wider_than_screen(page)
        with page.expect_download() as download:
            page.click("#file")
        assert "'=1+1," in Path(download.value.path()).read_text()


@pytest.mark.usefixtures("built")
def test_cancel_in_the_page_ends_the_work_on_the_server(settings: Settings, browser: Browser) -> None:
    worker = process_of(settings, "spark")
    assert wait_until(lambda: busy(worker) < 0.2), "the server still works on something else"
    with serving(settings) as served, opened(browser, f"{served.address}/ask") as page:
        typed(page, SLOW["spark"])
        assert wait_until(lambda: busy(worker) > 0.5), "the statement does not run"
        page.get_by_role("button", name="Cancel", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("cancelled after", timeout=30000)
        assert wait_until(lambda: busy(worker) < 0.2), "the server works on"
        assert served.asked()[0]["state"] == "cancelled"


@pytest.mark.usefixtures("built")
def test_a_question_that_takes_too_long_is_cancelled_and_told(settings: Settings) -> None:
    with serving(settings, Limits(seconds=1.5)) as served:
        found = served.ask(SLOW["spark"])
    assert found["state"] == "failed" and "it ran longer than 1.5 s and was cancelled" in found["error"]


@pytest.mark.usefixtures("built")
def test_the_end_of_the_server_ends_its_questions(settings: Settings) -> None:
    worker = process_of(settings, "spark")
    with serving(settings) as served:
        served.post("/api/questions", {"sql": SLOW["spark"]})
        assert wait_until(lambda: busy(worker) > 0.5), "the statement does not run"
    assert wait_until(lambda: busy(worker) < 0.2), "the server works on"


@pytest.mark.usefixtures("built")
def test_a_file_ends_at_its_own_limit(settings: Settings) -> None:
    with serving(settings, Limits(rows=2, file_rows=1500)) as served:
        found = served.ask("SELECT attempt_id FROM flat.attempts")
        assert (len(found["rows"]), found["is_cut"]) == (2, True)
        assert served.get(f"/api/questions/{found['id']}/rows.csv").text.count("\n") == 1501
        assert served.asked()[0]["is_cut"] and served.asked()[0]["row_count"] == 1500


@pytest.mark.usefixtures("built")
def test_a_file_that_is_cancelled_in_the_middle_does_not_look_whole(settings: Settings) -> None:
    with serving(settings, Limits(rows=2)) as served:
        found = served.ask("SELECT id, REPEAT('x', 100) AS filler FROM RANGE(150000)")
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
        connection.request("GET", f"/api/questions/{found['id']}/rows.csv")
        response = connection.getresponse()
        assert response.readline() == b"id,filler\n"
        served.post(f"/api/questions/{served.asked()[0]['id']}/cancel", {})
        with pytest.raises(http.client.IncompleteRead):
            response.read()
        assert served.asked()[0]["state"] == "cancelled"
