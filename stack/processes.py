"""Starts, watches and stops the servers; `<home>/stack.json` holds what was started, by process and start time."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from etl import local_stack
from etl.errors import ServerError, UsageError, WarehouseError
from etl.local_stack import Process
from etl.settings import Settings
from etl.terminal import progress
from stack import parts, servers
from stack.layout import PORTS, Layout, Server
from stack.ports import choose_ports

START_SECONDS = 120
STOP_SECONDS = 20
FREE_BYTES = 2 * 1024**3
TAIL_BYTES = 64 << 10
LOG_BYTES = 10 << 20  # a longer log is put aside at the next start of its server, in place of the one before


def read(settings: Settings) -> dict[str, Any]:
    """What `up` recorded: {"ports": {...}, "settings": {...}, "processes": {name: Process}}."""
    stack = local_stack.read(settings.home)
    return {"ports": stack.ports, "settings": stack.settings, "processes": stack.processes}


def _write(layout: Layout, engine: str, processes: dict[str, Process]) -> None:
    settings = layout.settings
    state = {
        "ports": dict(layout.ports),
        "settings": {**layout.addresses, "engine": settings.engine if engine == "all" else engine},
        "processes": [asdict(process) for process in processes.values()],
    }
    _record(settings, state)


def _record(settings: Settings, state: dict[str, Any]) -> None:
    draft = settings.stack_file.with_suffix(".tmp")
    draft.write_text(json.dumps(state, indent=2))
    draft.replace(settings.stack_file)


@contextlib.contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One `up` or `down` at a time on one folder."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(settings.home / "stack.lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise WarehouseError(
            f"another up or down is running in {settings.home}", "wait for it to end and run it again"
        ) from None
    except OSError as error:
        raise WarehouseError(f"the folder {settings.home} cannot be used: {error}", "set WAREHOUSE_HOME") from error
    with lock:
        lock.release()  # entering counted it a second time
        yield


def up(
    settings: Settings,
    say: Callable[[str], None],
    engine: str | None = None,
    until: int | None = None,
    has_customers: bool = False,
) -> dict[str, Any]:
    """Start every server that is not running, all side by side, and wait until all are healthy.

    `engine`, by default that of the settings: spark, hive (HiveServer2, then the stack's default) or all. With the
    process id `until` the servers are stopped when that process ends, however it ends; else they run until `down`.
    `has_customers` also opens the customers' door. Raises WarehouseError naming the server and its log when one does
    not start.
    """
    if re.search(r"[\s%:;*?#]", str(settings.home)):  # the DataNode does not start in such a folder
        raise UsageError(f"HDFS cannot run in {settings.home}", "set WAREHOUSE_HOME to a path without blanks or %:;*?#")
    with _alone(settings):
        try:
            with progress("start"):
                if until is not None:
                    from stack import watchdog

                    watchdog.start(until, settings.home)
                return _up(settings, say, engine or settings.engine, has_customers)
        except OSError as error:
            raise WarehouseError(
                f"the stack could not be started in {settings.home}: {error}", "run ./warehouse doctor"
            ) from error


def _up(settings: Settings, say: Callable[[str], None], engine: str, has_customers: bool) -> dict[str, Any]:
    running = {name: process for name, process in read(settings)["processes"].items() if process.handle()}
    before = read(settings)["ports"]
    if shutil.disk_usage(settings.home).free < FREE_BYTES and not running:
        raise WarehouseError(
            f"less than 2 GB are free at {settings.home}", "free some space or set WAREHOUSE_HOME to another disk"
        )
    ports = choose_ports(settings, before, running)  # what was typed wrong ends here, before minutes of fetching
    parts.ensure_jars(say)
    layout = Layout(settings, ports)
    if not running:  # Spark's own in-memory Derby refuses to start on files of an earlier process
        shutil.rmtree(layout.folder("tmp"))
    wanted = servers.all_servers(layout, engine, has_customers)
    missing = [server for server in wanted if server.name not in running]
    _format(layout, [server for server in missing if server.format], say)
    _write(layout, engine, running)
    for server in missing:
        running[server.name] = _start(layout, server)
        _write(layout, engine, running)
    if missing:
        moved = [f"{name} {port}" for name, port in layout.ports.items() if port != PORTS[name]]
        say(f"starting {', '.join(server.name for server in missing)}")
        if moved:
            say(f"ports other than the defaults: {', '.join(moved)}")
    _wait(layout, wanted, running)
    return read(settings)


def _format(layout: Layout, wanted: list[Server], say: Callable[[str], None]) -> None:
    """Prepare empty storage once; a stamp beside it says that it was done."""
    stamps = {server.name: layout.folder("data") / f"{server.name}.formatted" for server in wanted}
    fresh = [server for server in wanted if not stamps[server.name].exists()]
    if fresh:
        say(f"formatting the storage of {', '.join(server.name for server in fresh)}")

    def run(server: Server) -> None:
        log = layout.folder("logs") / f"{server.name}.log"
        with log.open("ab") as out:
            for command in server.format:
                if subprocess.run(command, stdout=out, stderr=out, env=_environment(server), check=False).returncode:
                    raise WarehouseError(f"the storage of {server.name} could not be formatted", f"see {log}")
        stamps[server.name].touch()

    with ThreadPoolExecutor() as pool:
        list(pool.map(run, fresh))


def _environment(server: Server) -> dict[str, str]:
    """The user's environment without variables that would change how Java or Spark run."""
    led = ("SPARK_", "HADOOP_", "HIVE_", "PYSPARK_", "JAVA_TOOL_OPTIONS", "CLASSPATH", "WAREHOUSE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(led)}
    return {**kept, "TZ": "UTC", **server.environment}


def _start(layout: Layout, server: Server) -> Process:
    log = layout.folder("logs") / f"{server.name}.log"
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.old"))
    with log.open("ab") as out:
        started = subprocess.Popen(
            server.command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=layout.folder("tmp"),
            env=_environment(server),
            start_new_session=True,
        )
    return Process(server.name, started.pid, psutil.Process(started.pid).create_time())


def _wait(layout: Layout, wanted: list[Server], running: dict[str, Process]) -> None:
    end = time.monotonic() + START_SECONDS
    waiting = list(wanted)
    with progress("healthy") as bar:
        while waiting:
            waiting = [server for server in waiting if not server.is_healthy()]
            names = ", ".join(server.name for server in waiting)
            bar.at(len(wanted) - len(waiting), len(wanted), f"waiting for {names}")
            for server in waiting:
                log = layout.folder("logs") / f"{server.name}.log"
                if running[server.name].handle() is None:
                    raise ServerError(f"{server.name} ended while starting: {_last_words(log)}", f"see {log}")
                if time.monotonic() > end:
                    raise ServerError(f"{server.name} is not healthy after {START_SECONDS} s", f"see {log}")
            time.sleep(0.2)


def _last_words(log: Path) -> str:
    """The last line of a log that reports an error."""
    lines = _tail(log)
    telling = [line for line in lines if any(word in line for word in ("Exception", "Error", "ERROR", "FATAL"))]
    return (telling or lines or ["no error in its log"])[-1].strip()[:300]


def _tail(log: Path) -> list[str]:
    """The last lines of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()[-200:]
    except OSError:
        return []


def ended(settings: Settings) -> list[str]:
    """A sentence for each server that `up` started and that ended by itself: when, and out of memory or by what."""
    sentences = []
    for name in local_stack.read(settings.home).ended:
        log = settings.home / "logs" / f"{name}.log"
        lines = _tail(log)
        is_full = any("OutOfMemoryError" in line for line in lines[-50:])
        times = [line[:19] for line in lines if re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", line)]
        cause = "out of memory" if is_full else f"see {log}"
        when = f", last line at {times[-1]} UTC" if times else ""
        sentences.append(f"{name} has ended ({cause}{when})")
    return sentences


def down(settings: Settings) -> list[str]:
    """Stop what `up` started and nothing else, last started first; returns the names of the servers."""
    with _alone(settings):
        processes = list(read(settings)["processes"].values())
        ended = []
        for process in reversed(processes):
            handle = process.handle()
            if handle is None:
                continue
            handle.send_signal(signal.SIGTERM)
            ended.append(process.name)
            try:
                handle.wait(STOP_SECONDS)
            except psutil.TimeoutExpired:
                handle.kill()
                handle.wait(STOP_SECONDS)
        if settings.stack_file.exists():  # the ports stay this home's, for connections that people saved
            _record(settings, {**read(settings), "processes": []})
        return ended
