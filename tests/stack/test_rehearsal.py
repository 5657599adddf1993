"""The whole path as on a cluster: other ports, another HDFS root and another user, by settings alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from commands import Run
from own_stack import ROOT, USER

from etl.servers.hdfs import Hdfs
from etl.settings import PROJECT, Settings, load
from stack.layout import PORTS


def test_nothing_is_as_by_default(settings: Settings, tmp_path: Path) -> None:
    default = load(home=tmp_path)
    for name in ("bootstrap_servers", "warehouse_root", "webhdfs", "hdfs_user", "metastore", "spark", "spark_thrift"):
        assert getattr(settings, name) != getattr(default, name), name
    for server in (settings.bootstrap_servers, settings.spark_thrift, settings.hiveserver2):
        assert int(server.rpartition(":")[2]) not in PORTS.values()


def test_the_page_on_clusters_names_these_settings(cluster: dict[str, str]) -> None:
    page = (PROJECT / "docs/cluster.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^ *export (WAREHOUSE_\w+)=", page, re.MULTILINE))
    elsewhere = {"WAREHOUSE_SPARK_WEB", "WAREHOUSE_SPARK_TOKEN_FILE"}  # of local stacks alone
    elsewhere.add("WAREHOUSE_CUSTOMERS_DOOR")  # a section of its own names it
    assert "WAREHOUSE_CUSTOMERS_DOOR" in page
    assert set(cluster) <= named | elsewhere, "the page leaves some out"


def test_status_sees_servers_that_are_not_ours(remote: Run) -> None:
    rows = json.loads(remote("status", "--json").stdout)["servers"]
    assert {(row["process"], row["health"]) for row in rows} == {("not ours", "healthy")}


@pytest.mark.usefixtures("built")
def test_the_whole_path_runs(remote: Run) -> None:
    """The sample was published, landed and built this way (tests/conftest.py); the rest of the path follows."""
    done = remote("run")
    assert "landed 0 messages" in done.stderr and "readers see everything that was landed" in done.stderr
    assert "expectations met" in done.stderr and "critical" not in done.stderr
    assert "390 attempts, reported by 394 messages" in done.stdout


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("engine", ["spark", "hive"])
def test_either_engine_answers(engine: str, remote: Run) -> None:
    done = remote("query", "--engine", engine, "SELECT COUNT(*) AS attempts FROM flat.attempts", "--format", "json")
    assert done.stdout == '[{"attempts":3242}]\n'


@pytest.mark.usefixtures("built")
def test_everything_lies_under_that_root_and_belongs_to_that_user(settings: Settings) -> None:
    hdfs = Hdfs(settings)
    assert ROOT.endswith(str(hdfs.root)) and "warehouse" not in hdfs.filesystem.ls("/", detail=False)
    assert {"landings", "raw", "flat", "marts", "ops"} <= {name.removesuffix("_v1") for name in hdfs.names()}
    owners = {
        entry["owner"]
        for folder, _, entries in hdfs.filesystem.walk(str(hdfs.root), detail=True)
        for entry in entries.values()
        if not folder.startswith(hdfs.path(".hive"))
    }
    assert owners == {USER}
