"""The running stack: its servers, and what status, doctor and up say of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from etl.settings import PROJECT, Settings, load
from stack import health, processes, servers
from stack.layout import PORTS, Layout

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_every_server_listens_on_this_machine_alone(settings: Settings) -> None:
    addresses = set()
    for process in processes.read(settings)["processes"].values():
        for connection in psutil.Process(process.pid).net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                assert connection.laddr.ip.removeprefix("::ffff:") == "127.0.0.1", (process.name, connection.laddr)
                addresses.add(connection.laddr.port)
    ports = processes.read(settings)["ports"]
    always = {port for name, port in ports.items() if name not in {"superset", "customers", "logins"}}
    assert always <= addresses, "Superset and the customers' door have commands of their own"


def test_status_shows_every_server_well_with_its_process(settings: Settings, run: Run) -> None:
    pids = {str(process.pid) for process in processes.read(settings)["processes"].values()}
    rows = json.loads(run("status", "--json").stdout)["servers"]
    engines = ["spark-connect", "spark-thrift", "hiveserver2"]
    assert [row["server"] for row in rows] == ["kafka", "namenode", "datanode", "metastore", *engines]
    assert {row["process"] for row in rows} == pids and {row["health"] for row in rows} == {"healthy"}


def test_doctor_finds_no_fault(run: Run) -> None:
    done = run("doctor")
    assert "FAULT" not in done.stdout and done.stderr.strip() == "0 faults"
    for server in (
        r"kafka cluster \S+, brokers: 1,",
        "namenode 3.5",
        "datanode 3.5",
        "metastore 4.0",
        "spark-connect 4.2",
    ):
        assert re.search(rf"^ok     {server}.* at .*\([0-9]+\)$", done.stdout, re.MULTILINE), server
    assert re.search(r"^ok     spark-thrift 4.2.*\n^ok     hiveserver2 4.0", done.stdout, re.MULTILINE)


def test_up_on_a_running_stack_starts_nothing(settings: Settings, run: Run) -> None:
    before = settings.stack_file.read_bytes()
    done = run("up")
    assert done.stderr.startswith("6 servers are healthy") and settings.stack_file.read_bytes() == before


def test_another_stack_is_refused_a_port_that_was_set_and_is_taken(settings: Settings, tmp_path: Path) -> None:
    port = processes.read(settings)["ports"]["kafka"]
    given = {**os.environ, "WAREHOUSE_HOME": str(tmp_path), "WAREHOUSE_PORTS": json.dumps({"kafka": port})}
    done = subprocess.run([PROJECT / "warehouse", "up"], capture_output=True, text=True, env=given, check=False)
    expected = f"warehouse: port {port} for kafka is taken; end the program that uses it or set another port\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


def test_status_of_servers_elsewhere_says_that_they_are_not_ours(settings: Settings, tmp_path: Path) -> None:
    cluster = settings.model_copy(update={"home": tmp_path})
    assert {row[2:] for row in health.status(cluster)} == {("not ours", "healthy")}


@pytest.mark.long
def test_a_format_that_was_killed_is_completed_by_the_next_and_none_touches_what_is_there(tmp_path: Path) -> None:
    layout = Layout(load(home=tmp_path), PORTS)
    namenode = servers.hdfs(layout)[0]
    version, stamp = tmp_path / "data/hdfs/name/current/VERSION", tmp_path / "data/namenode.formatted"
    killed = subprocess.Popen(
        namenode.format[0], env=processes._environment(namenode), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    draft = tmp_path / "data/hdfs/name.draft"
    while not (draft / "current").exists() and killed.poll() is None:
        time.sleep(0.005)
    killed.kill()
    killed.wait()
    processes._format(layout, [namenode], print)
    before = version.read_bytes()
    assert stamp.exists() and not draft.exists() and [*version.parent.glob("fsimage_*.md5")]
    stamp.unlink()
    processes._format(layout, [namenode], print)
    assert version.read_bytes() == before
