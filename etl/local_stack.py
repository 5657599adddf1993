"""What `up` recorded of the local stack in `<home>/stack.json`, and which of its servers are running."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from etl.errors import WarehouseError

# The server behind each address; an address without its server is not handed out: another stack may use that port.
SERVERS = {
    "bootstrap_servers": "kafka",
    "webhdfs": "namenode",
    "metastore": "metastore",
    "spark": "spark",
    "spark_thrift": "spark",
    "spark_web": "spark",
    "hiveserver2": "hiveserver2",
    "customers_door": "customers",
}


@dataclass(frozen=True)
class Process:
    """A started server: its process id and when that process began, so that no other process is ever meant."""

    name: str
    pid: int
    began: float

    def handle(self) -> psutil.Process | None:
        """The running process, None when it has ended."""
        try:
            process = psutil.Process(self.pid)
            is_alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
            return process if is_alive and abs(process.create_time() - self.began) < 1 else None
        except psutil.Error:
            return None


@dataclass(frozen=True)
class LocalStack:
    """The ports of a home's stack by name, the settings that reach it, and the processes that `up` started."""

    ports: dict[str, int] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)

    @property
    def running(self) -> dict[str, Process]:
        """The servers that are running."""
        return {name: process for name, process in self.processes.items() if process.handle()}

    @property
    def ended(self) -> list[str]:
        """The servers that `up` started and `down` did not stop, but which are gone."""
        return [name for name, process in self.processes.items() if process.handle() is None]

    def reachable(self) -> dict[str, str]:
        """The settings of a stack that runs, with the addresses of the running servers alone."""
        running = self.running
        if not running:
            return {}
        return {name: value for name, value in self.settings.items() if name not in SERVERS or SERVERS[name] in running}


def read(home: Path) -> LocalStack:
    """Read what `up` recorded in a home; empty where it never ran.

    Raises WarehouseError where the record cannot be read.
    """
    path = home / "stack.json"
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        processes = {row["name"]: Process(row["name"], int(row["pid"]), row["began"]) for row in state["processes"]}
        return LocalStack(dict(state["ports"]), dict(state["settings"]), processes)
    except (FileNotFoundError, NotADirectoryError):
        return LocalStack()
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise WarehouseError(
            f"{path} cannot be read: {error}", "stop the servers by hand and delete that file"
        ) from error
