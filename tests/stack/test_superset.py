"""Superset against both engines, in a browser: it is installed anew, so that its lock file is tested too."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sqlite3
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import psutil
import pytest
from commands import runner
from pictures import keep
from playwright.sync_api import Browser, BrowserContext, Page
from superset_api import Superset, address

from etl.report.question import title
from etl.report.report import questions
from etl.servers.hive import Hive
from etl.settings import Settings
from stack import processes
from stack import superset as server

pytestmark = pytest.mark.long("superset")
OF_CHROMIUM = b"content-autofill.googleapis.com"  # what the browser itself queries about a form
VIEWS = {"attempts", "attempt_questions", "messages", "question_options", "superseded_messages"}


@pytest.fixture(scope="module")
def superset(cluster: dict[str, str], built: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Superset]:
    """Installed and started at a home without a stack: settings name the SQL server."""
    assert built
    home = tmp_path_factory.mktemp("superset")
    run = runner({"WAREHOUSE_HOME": str(home), **cluster})
    try:
        yield Superset(home, address(run("superset").stderr), run)
    finally:
        run("down")


@pytest.fixture(scope="module", params=["hive", "spark"])  # Spark last: it answers the other tests sooner
def engine(request: pytest.FixtureRequest, superset: Superset) -> str:
    """The engine that the command was run with."""
    superset.run("superset", "--engine", request.param)
    return str(request.param)


@pytest.fixture(scope="module")
def expected(settings: Settings) -> dict[str, list[list[str]]]:
    """The rows of each question by its title, as texts, from a session of our own."""
    with Hive(settings.model_copy(update={"engine": "spark"})) as hive:
        return {title(file): texts(hive.query(file.statements()[0]).rows) for file in questions()}


def texts(rows: Iterable[Iterable[Any]]) -> list[list[str]]:
    """Rows as texts that do not depend on the transport: 62.6 for Decimal("62.600"), days without a time."""
    return [
        [str(round(float(v), 6)) if isinstance(v, Decimal | float | int) else str(v)[:10] for v in row] for row in rows
    ]


def test_the_lists_of_tables_and_views_are_right_on_both_engines(superset: Superset, engine: str) -> None:
    [database] = superset.get("database/")["result"]
    listed = superset.get(f"database/{database['id']}/tables/?q=(schema_name:flat,force:!t)")["result"]
    assert {each["value"] for each in listed if each["type"] == "view"} == VIEWS, engine
    assert {"messages_v1", "message_questions_v1"} <= {each["value"] for each in listed if each["type"] == "table"}


def test_saved_queries_give_the_rows_of_a_session_of_our_own(
    superset: Superset, engine: str, expected: dict[str, list[list[str]]]
) -> None:
    """All of them on Spark; on HiveServer2, where each takes seconds, those of the dashboard."""
    saved = {each["label"]: each["sql"] for each in superset.named("saved_query", "label").values()}
    assert set(saved) == set(expected)
    for file in questions():
        if engine == "spark" or "Dashboard" in file.header:
            answer = superset.rows(saved[title(file)])
            assert "data" in answer, (file.name, answer)
            rows = texts(row.values() for row in answer["data"])
            is_of_now = file.name == "reports.freshness"
            assert len(rows) == len(expected[title(file)]) and (is_of_now or rows == expected[title(file)]), file.name


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE flat.messages_v1",
        "INSERT INTO flat.messages_v1 SELECT * FROM flat.messages_v1",
        "SET hivevar:a=b",
        "SELECT java_method('java.lang.System', 'getProperty', 'user.home')",
        "SELECT * FROM text.`file:///etc/passwd`",
    ],
)
def test_what_does_more_than_read_tables_is_refused(superset: Superset, sql: str) -> None:
    [error] = superset.rows(sql)["errors"]
    assert re.search(r"not allow|allowed, not", error["message"])


def chart_data(superset: Superset, metric: str, value: str) -> Any:
    """The data of a chart over the exams of a name."""
    [dataset] = [each for each in superset.get("dataset/?q=(page_size:100)")["result"] if each["table_name"] == "exams"]
    metrics = [{"expressionType": "SQL", "sqlExpression": metric, "label": "m"}]
    filters = [{"col": "exam_name", "op": "==", "val": value}]
    query = {"metrics": metrics, "columns": [], "filters": filters, "row_limit": 1}
    document = {"datasource": {"id": dataset["id"], "type": "table"}, "queries": [query], "result_type": "full"}
    return superset.post("chart/data", document)


def test_a_chart_is_fenced_too(superset: Superset) -> None:
    answer = chart_data(superset, "MAX(reflect('java.lang.System', 'exit', 1))", "Learning Git")
    assert "the function reflect is not allowed" in answer["errors"][0]["message"].lower()


def test_dots_and_quotes_in_the_sql_of_a_chart_reach_the_server(superset: Superset) -> None:
    """PyHive cuts the first at two dots, and doubles quotes that HiveServer2 wants escaped."""
    metric = "MAX(CASE WHEN exam_name = 'Learning Git' THEN 0.5 * 3.0 END)"
    [row] = chart_data(superset, metric, "Learning Git")["result"][0]["data"]
    assert float(row["m"]) == 1.5
    [answer] = chart_data(superset, "COUNT(*)", 'it\'s 100 % \\ "no" exam')["result"]
    assert answer["data"] == [{"m": 0}] and r"it\'s 100 % \\ " in answer["query"]


def test_rows_are_limited_and_a_lower_limit_of_a_query_counts(superset: Superset) -> None:
    assert len(superset.rows("SELECT exam_id FROM flat.question_options", 100_000)["data"]) == 10_000
    assert len(superset.rows("SELECT exam_id FROM flat.attempts LIMIT 3")["data"]) == 3


def add_chart(superset: Superset, name: str, like: str) -> dict[str, Any]:
    """Add a chart to the dataset of another one, as a person does; returns that one."""
    other = superset.named("chart", "slice_name")[like]
    source = {"datasource_id": other["datasource_id"], "datasource_type": "table"}
    superset.post("chart/", {"slice_name": name, "viz_type": "table", "params": "{}", **source})
    return other


def test_running_it_again_keeps_what_people_added_and_restores_what_is_ours(superset: Superset) -> None:
    chart = add_chart(superset, "Mine", "Which exams are taken most?")
    before = {kind: superset.get(f"{kind}/")["count"] for kind in ("chart", "dashboard", "dataset", "saved_query")}
    with contextlib.closing(sqlite3.connect(server.folder(Settings(home=superset.home)) / "superset.db")) as metadata:
        metadata.execute("UPDATE slices SET slice_name = 'spoilt' WHERE id = ?", [chart["id"]])
        metadata.commit()
    superset.run("superset")
    after = superset.named("chart", "slice_name")
    assert {kind: superset.get(f"{kind}/")["count"] for kind in before} == before
    assert "Mine" in after and after["Which exams are taken most?"]["id"] == chart["id"] and "spoilt" not in after


def test_what_the_sql_files_no_longer_hold_is_removed_unless_a_chart_uses_it(superset: Superset) -> None:
    removed, used = "Which questions are the hardest?", "At which exams are all answers wrong?"
    add_chart(superset, "Mine of all wrong", used)
    given = Settings(home=superset.home)
    with (
        zipfile.ZipFile(server.folder(given) / "assets.zip") as old,
        zipfile.ZipFile(superset.home / "a.zip", "w") as new,
    ):
        for name in old.namelist():
            if not re.search("hardest_questions|all_wrong", name):
                new.writestr(name, old.read(name))
    words = [
        server._python(given),
        server.SOURCE / "provision.py",
        superset.home / "a.zip",
        server.password_file(given),
    ]
    subprocess.run(words, stdin=subprocess.DEVNULL, env={**os.environ, **server._environment(given)}, check=True)
    assert not {removed, used} & set(superset.named("chart", "slice_name"))
    assert not {removed, used} & set(superset.named("saved_query", "label"))
    datasets = superset.named("dataset", "table_name")
    assert "reports.all_wrong" in datasets and "reports.hardest_questions" not in datasets
    superset.run("superset")
    assert {removed, used, "Mine of all wrong"} <= set(superset.named("chart", "slice_name"))


def test_status_and_doctor_know_it(superset: Superset) -> None:
    given = Settings(home=superset.home)
    rows = [line.split() for line in superset.run("status").stdout.splitlines()]
    assert ["superset", superset.address, str(processes.read(given)["processes"]["superset"].pid), "healthy"] in rows
    checked = superset.run("doctor").stdout
    assert re.search(rf"^ok     superset {re.escape(server.version())} at {superset.address}", checked, re.MULTILINE)
    assert f"ok     the packages of Superset {server.version()} are as locked" in checked


def test_it_listens_on_this_machine_alone_and_shows_no_password(superset: Superset) -> None:
    process = psutil.Process(processes.read(Settings(home=superset.home))["processes"]["superset"].pid)
    family = [process, *process.children(recursive=True)]
    connections = [connection for each in family for connection in each.net_connections("inet")]
    assert {connection.laddr.ip for connection in connections} == {"127.0.0.1"}
    secret = (server.folder(Settings(home=superset.home)) / "secret.key").read_text()
    texts = [" ".join([*each.cmdline(), *each.environ().values()]) for each in family]
    texts += [path.read_text(errors="replace") for path in (superset.home / "logs").iterdir()]
    assert not [text for text in texts if superset.password in text or secret in text]


# In a browser


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[list[bytes]]:
    """What a browser sends to other machines: it is told that this is its proxy, which loopback addresses bypass."""
    received: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    words = connection.recv(200)
                    received.extend([words] if OF_CHROMIUM not in words else [])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=[listener], daemon=True).start()
        received.append(b"%d" % listener.getsockname()[1])
        yield received


@pytest.fixture(scope="module")
def isolated(browser: Browser, elsewhere: list[bytes]) -> Iterator[BrowserContext]:
    """A browser whose requests to other machines end at the proxy."""
    address = f"http://127.0.0.1:{elsewhere.pop().decode()}"
    with browser.new_context(
        proxy={"server": address, "bypass": "<-loopback>,127.0.0.1"}, viewport={"width": 1280, "height": 900}
    ) as context:
        context.set_default_timeout(90_000)
        yield context


@pytest.fixture(scope="module")
def page(superset: Superset, isolated: BrowserContext) -> Page:
    """A page on which the administrator has logged in."""
    page = isolated.new_page()
    page.goto(f"{superset.address}/login/")
    page.fill("input#username", "admin")
    page.fill("input#password", superset.password)
    page.click("button[type=submit]")
    page.wait_for_url("**/welcome/**")
    return page


def test_the_proxy_sees_what_leaves_the_machine(isolated: BrowserContext, elsewhere: list[bytes]) -> None:
    """So that the last test can fail."""
    with isolated.new_page() as page, contextlib.suppress(Exception):
        page.goto("http://example.org/", timeout=5000)
    assert elsewhere and b"example.org" in elsewhere[0]
    elsewhere.clear()


def test_a_saved_query_runs_in_sql_lab(superset: Superset, page: Page) -> None:
    saved = superset.named("saved_query", "label")["Which exams are taken most?"]
    page.goto(f"{superset.address}/sqllab/?savedQueryId={saved['id']}")
    page.get_by_role("button", name="Run", exact=False).first.click()
    page.get_by_role("gridcell", name="Learning Git", exact=True).wait_for()


def test_the_dashboard_shows_every_chart(superset: Superset, page: Page, request: pytest.FixtureRequest) -> None:
    [dashboard] = superset.get("dashboard/")["result"]
    page.goto(f"{superset.address}{dashboard['url']}")
    charts = page.locator("[data-test=chart-grid-component]")
    charts.first.wait_for()
    for number in range(charts.count()):
        charts.nth(number).scroll_into_view_if_needed()
        charts.nth(number).locator("canvas, .header-line").first.wait_for()
    wished = [file.header["Dashboard"].split(",") for file in questions() if "Dashboard" in file.header]
    assert charts.count() == sum(map(len, wished))
    assert "error" not in page.inner_text("body").lower()
    if request.config.getoption("--write-docs"):
        charts.first.scroll_into_view_if_needed()
        page.wait_for_timeout(2000)  # the bars grow
        keep(page, "superset-1280")


def test_no_request_left_the_machine(superset: Superset, page: Page, elsewhere: list[bytes]) -> None:
    for path in ("/tablemodelview/list/", "/chart/list/", "/superset/welcome/"):
        page.goto(f"{superset.address}{path}")
        page.wait_for_load_state("networkidle")
    time.sleep(1)
    assert not elsewhere
