"""Checks the health of every server: the local stack's processes, or a cluster's addresses."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from etl.servers import spark
from etl.settings import Settings
from stack import probes, processes, superset
from stack.layout import HOST

HEALTHY = "healthy"


def checks(settings: Settings) -> dict[str, tuple[str, Callable[[], bool]]]:
    """Each server's address in the settings, and its health check."""
    spark = urlsplit(settings.spark)
    checked: dict[str, tuple[str, Callable[[], bool]]] = {
        "kafka": (settings.bootstrap_servers, lambda: probes.kafka_answers(settings.bootstrap_servers)),
        "namenode": (settings.webhdfs, lambda: probes.hdfs_answers(settings.webhdfs, "Version")),
        "datanode": (settings.webhdfs, lambda: probes.hdfs_answers(settings.webhdfs)),
        "metastore": (settings.metastore, lambda: probes.is_listening(urlsplit(settings.metastore).netloc)),
    }
    if spark.scheme in ("sc", ""):
        address = settings.spark.partition(";")[0]  # its options may hold a token
        checked["spark-connect"] = (address, lambda: probes.is_listening(spark.netloc))
    local = processes.read(settings)["processes"]
    engines = {"spark": "spark-thrift", "hive": "hiveserver2"}
    for engine, server in engines.items():  # of two engines the one in use, and the other if `up` started it
        if engine == settings.engine or server.removesuffix("-thrift") in local:
            chosen = settings.model_copy(update={"engine": engine})
            address = settings.hiveserver2 if engine == "hive" else settings.spark_thrift
            checked[server] = (address, functools.partial(_answers, chosen))
    if superset.NAME in local:
        address = f"{HOST}:{processes.read(settings)['ports'][superset.NAME]}"
        checked[superset.NAME] = (f"http://{address}", functools.partial(superset.is_healthy, address))
    return checked


def _answers(settings: Settings) -> bool:
    from etl.errors import WarehouseError
    from etl.servers.hive import Hive

    try:
        with Hive(settings) as hive:
            return hive.query("SELECT 1").rows == [(1,)]
    except WarehouseError:
        return False


def status(settings: Settings) -> list[tuple[Any, ...]]:
    """(server, address, process id or where it runs, healthy or not) of every server, all checked at once."""
    local = processes.read(settings)["processes"]
    runs_in = {"spark-thrift": "spark", "spark-connect": "spark"}
    checked = checks(settings)
    rows = []
    with ThreadPoolExecutor(len(checked)) as pool:
        answers = [pool.submit(question) for _, question in checked.values()]
        for (name, (address, _)), answer in zip(checked.items(), answers, strict=True):
            process = local.get(runs_in.get(name, name))
            where = "not ours" if process is None else str(process.pid) if process.handle() else "ended"
            rows.append((name, address or "not set", where, HEALTHY if answer.result() else "does not answer"))
    return rows


def versions(settings: Settings) -> dict[str, Callable[[], str]]:
    """Each server's version check; empty where a server does not report one."""

    def sql(engine: str) -> str:
        from etl.servers.hive import Hive

        with Hive(settings.model_copy(update={"engine": engine})) as hive:
            return str(hive.query("SELECT VERSION()").rows[0][0]).split()[0]

    def connect() -> str:

        with spark.session(settings, str(uuid.uuid4()), "report its version") as session:
            return str(session.version)

    checked: dict[str, Callable[[], str]] = {
        "kafka": lambda: probes.kafka_cluster(settings.bootstrap_servers),
        "namenode": lambda: probes.hdfs_version(settings.webhdfs),
        "datanode": lambda: probes.datanode_versions(settings.webhdfs),
        "metastore": lambda: probes.metastore_version(urlsplit(settings.metastore).netloc),
        "spark-connect": connect,
        "spark-thrift": lambda: sql("spark"),
        "hiveserver2": lambda: sql("hive"),
        superset.NAME: superset.version,
    }
    return {name: functools.partial(_or_nothing, question) for name, question in checked.items()}


def _or_nothing(question: Callable[[], str]) -> str:
    """A healthy server may still not report its version; each fails with another error."""
    try:
        return question()
    except Exception:
        return ""
