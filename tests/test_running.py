"""Spark's and HiveServer2's addresses: tokens of any characters, and other kinds of servers that answer there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr
from pyspark.sql.connect.client.core import DefaultChannelBuilder
from test_cli import error_line, start
from test_hive_session import listening

from etl.errors import ServerError, UsageError
from etl.servers import running, spark
from etl.settings import PROJECT, Settings

SESSION = "00000000-0000-4000-8000-000000000003"


@pytest.mark.parametrize("token", ["plain", "YWJjZA==", "a+b/c=", "a;b=c", "a b&c%20d", "x~y!/?#"])
def test_a_token_reaches_spark_as_it_is(token: str) -> None:
    for address in ("sc://spark:15002", "sc://spark:15002/", "sc://spark:15002/;user_id=me"):
        remote = spark._remote(Settings(spark=address, spark_token=SecretStr(token)), SESSION)
        builder = DefaultChannelBuilder(remote)
        assert dict(builder.metadata())["authorization"] == f"Bearer {token}"
        assert (builder.host, builder.session_id) == ("spark", SESSION)


@pytest.mark.parametrize(("options", "variables"), [("token=s3cret=", {}), ("token=s3cret", {"MASTER": "local"})])
def test_a_session_that_cannot_be_configured_is_refused_and_no_option_shown(
    options: str, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", {**os.environ, **variables})
    with listening(None) as port:
        given = Settings(spark=f"sc://127.0.0.1:{port}/;{options}")
        with pytest.raises(UsageError) as caught, spark.session(given, SESSION, "land"):
            pass
    assert "cannot be configured: " in str(caught.value) and "s3cret" not in str(caught.value)


def test_status_and_doctor_show_no_option_of_the_address_of_spark(tmp_path: Path) -> None:
    for command in ("status", "doctor"):
        done = start(tmp_path, command, WAREHOUSE_SPARK="sc://127.0.0.1:1/;token=s3cret")
        assert "sc://127.0.0.1:1" in done.stdout and "s3cret" not in done.stdout + done.stderr


@pytest.mark.parametrize("port", [65536, 99999])
def test_a_port_of_spark_that_is_none_is_named(port: int) -> None:
    with (
        pytest.raises(ServerError, match=f"no Spark Connect server at 127.0.0.1:{port}"),
        spark.session(Settings(spark=f"sc://127.0.0.1:{port}"), SESSION, "land"),
    ):
        pass


OWN_DRIVER = """
import psutil
from etl.servers import spark
from etl.settings import Settings
with spark.session(Settings(spark="local[1]"), "own", "listen"):
    mine = psutil.Process()
    sockets = [each for process in (mine, *mine.children(recursive=True)) for each in process.net_connections("inet")]
    print({each.laddr.ip.removeprefix("::ffff:") for each in sockets if each.status == psutil.CONN_LISTEN})
"""


@pytest.mark.long("connect")
def test_a_driver_of_its_own_listens_on_this_machine_alone(tmp_path: Path) -> None:
    given = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", OWN_DRIVER]
    done = subprocess.run(command, cwd=tmp_path, env=given, capture_output=True, text=True, check=True)
    assert done.stdout == "{'127.0.0.1'}\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n{"a":1',
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[{}]",
    ],
)
def test_what_is_not_sparks_web_address_is_told_in_one_line(answer: bytes, tmp_path: Path) -> None:
    with listening(answer) as port:
        address = f"http://127.0.0.1:{port}"
        line = error_line(start(tmp_path, "running", WAREHOUSE_SPARK_WEB=address), 1)
        assert address in line


def test_a_token_that_is_no_key_is_told() -> None:
    given = Settings(spark_web="http://127.0.0.1:1", spark_token=SecretStr("ünï"))
    with pytest.raises(UsageError, match="not base64; correct spark_token"):
        running.running(given)


def test_the_logs_of_a_hiveserver2_that_has_ended_are_no_running_statements(tmp_path: Path) -> None:
    folder = tmp_path / "tmp/hive/operations/session"
    folder.mkdir(parents=True)
    (folder / "hive_20260101000000_1").write_text("INFO  : Compiling command(queryId=hive_1): SELECT 1\n")
    assert running._on_hive(Settings(home=tmp_path)) == []


def test_a_hiveserver2_that_is_away_when_a_statement_is_to_end_is_told() -> None:
    with pytest.raises(ServerError, match="HiveServer2 did not end hive_1: "):
        running._kill_query(Settings(hiveserver2="127.0.0.1:1"), "hive_1")
