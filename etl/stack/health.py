"""Asks every server whether it is well: the local stack's processes, or a cluster's addresses."""

from __future__ import annotations

import functools
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from etl.settings import Settings
from etl.stack import parts, probes, processes


def checks(settings: Settings) -> dict[str, tuple[str, Callable[[], bool]]]:
    """Per server its address in the settings and the question that proves it well."""
    spark = urlsplit(settings.spark)
    asked: dict[str, tuple[str, Callable[[], bool]]] = {
        "kafka": (settings.bootstrap_servers, lambda: probes.kafka_answers(settings.bootstrap_servers)),
        "namenode": (settings.webhdfs, lambda: probes.hdfs_answers(settings.webhdfs, "Version")),
        "datanode": (settings.webhdfs, lambda: probes.hdfs_answers(settings.webhdfs)),
        "metastore": (settings.metastore, lambda: probes.is_listening(urlsplit(settings.metastore).netloc)),
    }
    if spark.scheme == "sc":
        asked["spark-connect"] = (settings.spark, lambda: probes.is_listening(spark.netloc))
    local = processes.read(settings)["processes"]
    engines = {"spark": "spark-thrift", "hive": "hiveserver2"}
    for engine, server in engines.items():  # of two engines the one that is used, and the other where `up` started it
        if engine == settings.engine or server.removesuffix("-thrift") in local:
            chosen = settings.model_copy(update={"engine": engine})
            asked[server] = (chosen.sql_server, functools.partial(_answers, chosen))
    return asked


def _answers(settings: Settings) -> bool:
    from etl.errors import WarehouseError
    from etl.hive import Hive

    try:
        with Hive(settings) as hive:
            return hive.query("SELECT 1").rows == [(1,)]
    except WarehouseError:
        return False


def status(settings: Settings) -> list[tuple[Any, ...]]:
    """(server, address, process id or where it runs, healthy or not) of every server."""
    local = processes.read(settings)["processes"]
    runs_in = {"spark-thrift": "spark", "spark-connect": "spark"}
    rows = []
    for name, (address, question) in checks(settings).items():
        process = local.get(runs_in.get(name, name))
        where = "not ours" if process is None else str(process.pid) if process.handle() else "ended"
        rows.append((name, address, where, "healthy" if question() else "does not answer"))
    return rows


def examine(settings: Settings) -> Iterator[tuple[bool, str, str]]:
    """(is it good, what was looked at, what to do about it) for the machine and every server."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield sys.version_info >= (3, 11), f"Python {version}", "install Python 3.11 or newer"
    java = next((one for one in parts.candidates() if parts.java_version(one) in parts.JAVA_VERSIONS), None)
    yield java is not None, f"Java {java or 'not found'}", "none is needed: ./warehouse up brings one"
    yield shutil.which("bash") is not None, "bash, which HDFS runs", "install bash"
    bad = [jar for jar in parts.locked() if not parts.is_genuine(jar)]
    step = f"delete {parts.SHARE / 'jars.lock'}, then run ./warehouse up"
    yield not bad, f"{len(parts.locked())} jars, {len(bad)} missing or damaged", step
    settings.home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.home).free
    yield free >= processes.FREE_BYTES, f"{free / 1e9:.0f} GB free at {settings.home}", "make room"
    for name, address, where, health in status(settings):
        yield (
            health == "healthy",
            f"{name} at {address} ({where})",
            f"run ./warehouse up, or see {settings.home / 'logs'}",
        )
