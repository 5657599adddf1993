"""A private stack of the real servers in a folder of its own, and ./warehouse as a user runs it there."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks import measure
from benchmarks.measure import Measured
from etl import settings as settings_module
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import PROJECT, Settings
from etl.store import identity
from etl.terminal import say
from stack import processes
from stack.layout import PORTS

ENGINE_SERVERS = {"spark": "spark", "hive": "hiveserver2"}
KEPT = ("default", "information_schema", "sys")


@dataclass(frozen=True)
class Stack:
    """A running stack; `settings` are those of its home."""

    settings: Settings

    def warehouse(self, *words: str, engine: str = "spark", into: Path | None = None) -> Measured:
        """Run ./warehouse and measure it, with the server of the engine where that has a part in it."""
        flags = ["--engine", engine] if engine == "hive" else []
        servers = self.server(ENGINE_SERVERS[engine]) if engine else []
        return measure.run([str(PROJECT / "warehouse"), *words, *flags], self.environment, servers, into=into)

    def rows(self, statement: str, engine: str = "spark") -> list[dict[str, Any]]:
        """What ./warehouse query answers."""
        rows: list[dict[str, Any]] = json.loads(self.warehouse("query", statement, "--json", engine=engine).output)
        return rows

    @property
    def environment(self) -> dict[str, str]:
        """The environment that points a command of this project to this stack alone."""
        return {
            "WAREHOUSE_HOME": str(self.settings.home),
            "WAREHOUSE_VENV": sys.prefix,
            "NO_COLOR": "1",
            "PYTHONPATH": str(PROJECT),
        }

    def server(self, name: str) -> list[int]:
        """The process id of a server, for what is measured with it."""
        return [self._server(name).pid]

    def _server(self, name: str) -> psutil.Process:
        handle: psutil.Process | None = processes.read(self.settings)["processes"][name].handle()
        if handle is None:
            raise measure.BenchmarkError(f"the server {name} has ended; see {self.settings.home / 'logs'}")
        return handle

    @property
    def heap(self) -> str:
        """The heap that Spark's server may use, as its command line says: 2g."""
        options = [word for word in self._server("spark").cmdline() if word.startswith("-Xmx")]
        return options[-1].removeprefix("-Xmx") if options else ""

    def reset(self) -> None:
        """Forget all tables and all that was landed; the topic stays, so that the next landing begins at offset 0."""
        with Hive(self.settings) as hive:
            for database, *_ in hive.query("SHOW DATABASES").rows:
                if database not in KEPT:
                    hive.query(f"DROP DATABASE {database} CASCADE")
        hdfs = Hdfs(self.settings)
        for name in hdfs.names():
            if not name.startswith(".") and name != identity.NAME:  # HiveServer2's own folder, and what the home knows
                hdfs.remove(name)

    def sizes(self) -> dict[str, int]:
        """The bytes on HDFS by folder of the warehouse."""
        hdfs = Hdfs(self.settings)
        sizes = {name: hdfs.size(name) for name in hdfs.names() if not name.startswith(".")}
        return {name: size for name, size in sizes.items() if size}

    def remove(self, folder: str) -> None:
        """Remove what a contestant wrote beside the warehouse."""
        Hdfs(self.settings.model_copy(update={"warehouse_root": f"{self.settings.warehouse_root}-{folder}"})).remove()


@contextlib.contextmanager
def running(home: Path, engines: str) -> Iterator[Stack]:
    """A stack on free ports in this folder, which ends with the block; `engines` is spark, hive or all."""
    for name in [name for name in os.environ if name.startswith("WAREHOUSE_") and name != "WAREHOUSE_VENV"]:
        del os.environ[name]
    free = settings_module.load(home=home, ports={name: 0 for name in PORTS})
    try:
        processes.up(free, say, engines)
        yield Stack(settings_module.load(home=home, engine="spark"))
    finally:
        processes.down(free)
