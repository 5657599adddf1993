"""The doors of the local stack's servers, each attacked as a stranger would, and what one reader can do to all."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from pyhive import hive
from pyspark.errors import PySparkException
from reliability import Case
from TCLIService import ttypes

from etl.errors import ServerError, UsageError
from etl.servers import running, spark
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive, StatementError
from etl.settings import PROJECT, Settings
from stack import processes

Run = Callable[..., Any]
ENDLESS = "SELECT COUNT(*) FROM range(100000000) AS a CROSS JOIN range(1000000) AS b WHERE a.id + b.id = -1"


def connected(address: str, **options: Any) -> hive.Connection:
    """A plain PyHive session, as any client opens one."""
    host, _, port = address.rpartition(":")
    return hive.connect(host, int(port), username="stranger", **options)


# HiveServer2


@pytest.mark.case("HiveServer2: a shell by HPL/SQL", "HOST and ! in a session of that mode", "refused, no program ran")
def test_a_session_of_hives_procedural_language_runs_no_program(settings: Settings, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    connection = connected(settings.hiveserver2, configuration={"set:hivevar:mode": "HPLSQL"})
    for statement in (f"HOST 'touch {sign}'", f"!touch {sign}", "PRINT 1"):
        # With an overlay, though an empty one, as JDBC sends it: only then the mode counts.
        request = ttypes.TExecuteStatementReq(connection.sessionHandle, statement, confOverlay={}, runAsync=False)
        answer = connection.client.ExecuteStatement(request)
        assert answer.status.statusCode == ttypes.TStatusCode.ERROR_STATUS
        assert "HPL/SQL" in answer.status.errorMessage
    assert not sign.exists()
    with Hive(settings.model_copy(update={"engine": "hive"})) as session:
        assert session.query("SELECT 1").rows == [(1,)]


@pytest.mark.parametrize(
    "call",
    [
        "reflect('java.lang.System', 'getProperty', 'user.name')",
        "java_method('java.lang.System', 'getProperty', 'user.name')",
        "reflect2(1, 'toString')",
        "in_file('a', '/etc/passwd')",
        *(f"xpath{kind}('<a>1</a>', 'a')" for kind in ("", "_string", "_int", "_boolean", "_double", "_number")),
    ],
)
def test_functions_that_reach_the_servers_machine_are_refused(settings: Settings, call: str, case: Case) -> None:
    with (
        Hive(settings.model_copy(update={"engine": "hive"})) as session,
        pytest.raises(StatementError, match="is not allowed"),
    ):
        session.query(f"SELECT {call}")
    case("HiveServer2: functions that read files or call Java", "selected", "refused")


def test_hiveserver2_listens_for_sessions_alone(settings: Settings) -> None:
    process = processes.read(settings)["processes"]["hiveserver2"].handle()
    listening = {
        connection.laddr.port
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {processes.read(settings)["ports"]["hiveserver2"]}


def test_a_plain_client_gets_rows_of_what_it_executes_asynchronously(settings: Settings) -> None:
    cursor = connected(settings.hiveserver2).cursor()
    cursor.execute("SELECT COUNT(*) AS places FROM (SELECT 1 AS one) AS ones", async_=True)
    while cursor.poll().operationState in (
        ttypes.TOperationState.INITIALIZED_STATE,
        ttypes.TOperationState.PENDING_STATE,
        ttypes.TOperationState.RUNNING_STATE,
    ):
        time.sleep(0.1)
    assert cursor.fetchall() == [(1,)]


def test_the_columns_of_a_plain_client_are_named_without_their_table(settings: Settings, built: str) -> None:
    assert built
    for address in (settings.hiveserver2, settings.spark_thrift):
        cursor = connected(address).cursor()
        cursor.execute("SELECT * FROM marts.exams LIMIT 1")
        assert [column[0] for column in cursor.description][:2] == ["exam_id", "exam_name"]


# HDFS


def test_no_folder_of_the_warehouse_is_writable_by_everybody(settings: Settings, built: str) -> None:
    assert built
    hdfs = Hdfs(settings)
    listed = hdfs.filesystem.ls(str(hdfs.root.parent), detail=True) + hdfs.filesystem.ls(str(hdfs.root), detail=True)
    assert {entry["permission"] for entry in listed if entry["type"] == "directory"} == {"755"}
    assert not [name for name in hdfs.names() if name.startswith(".")], "HiveServer2's scratch folder is elsewhere"


@pytest.mark.case("WebHDFS: a form of a foreign web page", "TRUNCATE, DELETE, CREATE", "refused", times=3)
def test_a_web_page_in_a_browser_cannot_write_to_hdfs(settings: Settings) -> None:
    hdfs = Hdfs(settings)
    hdfs.put(b"all of it", "victim")
    path = f"{settings.webhdfs}/webhdfs/v1{hdfs.path('victim')}?user.name={settings.hdfs_user}"
    for method, query in (
        ("POST", "op=TRUNCATE&newlength=0"),
        ("DELETE", "op=DELETE"),
        ("PUT", "op=CREATE&overwrite=true"),
    ):
        request = urllib.request.Request(f"{path}&{query}", b"", {"User-Agent": "Mozilla/5.0"}, method=method)  # noqa: S310
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(request, timeout=10)  # noqa: S310
    assert hdfs.content("victim") == b"all of it"
    hdfs.remove("victim")


# Spark's token


def test_spark_connect_requires_the_token(settings: Settings) -> None:
    with spark.session(settings, str(uuid.uuid4()), "select") as session:
        assert session.sql("SELECT 1 AS number").collect()[0].number == 1
    for token in (None, "guessed"):
        stranger = settings.model_copy(update={"spark_token_file": None})
        options = f"{settings.spark}/;authorization=Bearer%20{token}" if token else settings.spark
        with (
            pytest.raises((ServerError, PySparkException), match=r"(?i)authenti|token"),
            spark.session(
                stranger.model_copy(update={"spark": options}), "00000000-0000-4000-8000-000000000002", "x"
            ) as first,
        ):
            first.sql("SELECT 1").collect()


def test_sparks_web_page_requires_the_token(settings: Settings) -> None:
    for path in ("/", "/environment/", "/api/v1/applications", "/jobs/job/kill/?id=0"):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"{settings.spark_web}{path}", timeout=10)  # noqa: S310
    assert running.running(settings) is not None


def test_the_token_is_in_no_command_line_and_no_file_that_others_can_read(settings: Settings) -> None:
    token = settings.token()
    assert token and len(token) >= 43
    for process in processes.read(settings)["processes"].values():
        assert token not in " ".join(process.handle().cmdline())
    folders = [settings.home, settings.home / "conf", settings.home / "logs"]
    files = {path for folder in folders for path in folder.rglob("*.*") if path.is_file() and "data" not in path.parts}
    holding = {path for path in files if token.encode() in path.read_bytes()}
    assert holding and all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in holding)


# One reader and all others


@pytest.fixture
def endless(settings: Settings) -> Iterator[hive.Cursor]:
    """A statement that would run for days on Spark, and has begun."""
    cursor = connected(settings.spark_thrift).cursor()
    cursor.execute(ENDLESS, async_=True)
    while not any(statement.text.startswith("SELECT COUNT(*) FROM range") for statement in running.running(settings)):
        time.sleep(0.2)
    yield cursor
    cursor.cancel()


def is_idle(settings: Settings) -> bool:
    """Whether nothing runs on Spark within some seconds."""
    for _ in range(50):
        if not [statement for statement in running.running(settings) if statement.engine == "spark"]:
            return True
        time.sleep(0.2)
    return False


@pytest.mark.case("Spark: an endless statement is cancelled", "a cross join", "its tasks end within seconds")
def test_a_cancelled_statement_leaves_no_task_behind(settings: Settings, endless: hive.Cursor) -> None:
    endless.cancel()
    assert is_idle(settings)


def test_running_lists_a_statement_and_ends_it(settings: Settings, endless: hive.Cursor, run: Run) -> None:
    rows: list[dict[str, str]] = []
    while not rows:  # between two of its jobs it does not show
        rows = [row for row in json.loads(run("running", "--json").stdout) if row["statement"] == ENDLESS]
    (row,) = rows
    assert row["engine"] == "spark" and row["since_utc"][:2] == "20"
    assert ENDLESS in run("running", "--end", row["id"][:12]).stderr
    assert is_idle(settings)
    while endless.poll().operationState == ttypes.TOperationState.RUNNING_STATE:
        time.sleep(0.2)
    assert "cancelled" in endless.poll().errorMessage
    with pytest.raises(UsageError, match=r"0 running statements have the id nothing; see \./warehouse running"):
        running.end(settings, "nothing")


def test_a_statement_ends_at_the_limit_of_the_server(settings: Settings) -> None:
    cursor = connected(settings.spark_thrift).cursor()
    cursor.execute("SET spark.sql.thriftServer.queryTimeout")
    assert cursor.fetchall()[0][1] == "3600s"
    cursor.execute("SET spark.sql.thriftServer.queryTimeout=2s")
    cursor.execute(ENDLESS, async_=True)
    while cursor.poll().operationState in (ttypes.TOperationState.PENDING_STATE, ttypes.TOperationState.RUNNING_STATE):
        time.sleep(0.2)
    assert cursor.poll().operationState == ttypes.TOperationState.TIMEDOUT_STATE
    assert is_idle(settings)


SLOW_ON_HIVE = (
    "SELECT COUNT(*) FROM flat.question_options AS a CROSS JOIN flat.question_options AS b "
    "CROSS JOIN flat.attempts AS c WHERE a.option_id > b.option_id"
)


@pytest.mark.long
@pytest.mark.usefixtures("built")
def test_a_statement_of_hive_is_ended_for_its_client(settings: Settings, run: Run, case: Case) -> None:
    handle = processes.read(settings)["processes"]["hiveserver2"].handle()
    server = psutil.Process(handle.pid)
    environment = {**os.environ, "WAREHOUSE_HOME": str(settings.home)}
    words = [str(PROJECT / "warehouse"), "query", "--engine", "hive", SLOW_ON_HIVE]
    command = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True)
    while not (
        rows := [row for row in running.running(settings) if row.engine == "hive" and "flat.attempts" in row.text]
    ):
        time.sleep(0.5)
    time.sleep(15)  # until its DAG runs
    assert command.poll() is None and server.cpu_percent(5) > 50
    run("running", "--end", rows[0].id)
    began = time.monotonic()
    _, message = command.communicate(timeout=300)
    assert command.returncode == 1 and "KILL QUERY" in message and time.monotonic() - began < 60
    server.kill()  # its DAG runs on for longer than all other tests together: docs/security.md
    server.wait(60)
    processes.up(settings, print, "all")
    case("HiveServer2: a cross join that runs", "running --end", "ends for its client; its DAG runs on in the server")


HUGE = [
    "SELECT randstr(2147483647)",
    "SELECT concat(repeat('x', 1500000000), repeat('y', 600000000)) AS text",
    "SELECT sequence(1, 300000000) AS numbers",
]
LARGE = [
    "SELECT id FROM range(100000000) LIMIT 100000000",
    "SELECT id FROM range(100000000)",
]


@pytest.mark.parametrize("statement", [*HUGE, *(pytest.param(large, marks=pytest.mark.long) for large in LARGE)])
def test_what_is_too_large_fails_and_the_server_lives(settings: Settings, statement: str, case: Case) -> None:
    process = processes.read(settings)["processes"]["spark"].handle()
    with pytest.raises(Exception, match=r"OutOfMemory|memory|maxResultSize|too|exceed"):
        connected(settings.spark_thrift).cursor().execute(statement)
    assert process.is_running()
    with Hive(settings.model_copy(update={"engine": "spark"})) as session:
        assert session.query("SELECT COUNT(*) FROM range(10)").rows == [(10,)]
    case("Spark: a statement larger than its memory", "selected", "the statement fails, the server lives")
