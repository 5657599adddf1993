"""Starts, watches and stops the servers; `<home>/stack.json` holds what was started, by process and start time."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import psutil
from filelock import FileLock, Timeout

from etl import local_stack
from etl.errors import ServerError, UsageError, WarehouseError
from etl.local_stack import Process
from etl.settings import Settings
from etl.terminal import progress
from stack import logs, parts, rotate, servers
from stack.layout import PORTS, Layout, Server
from stack.ports import choose_ports

START_SECONDS = 120
STOP_SECONDS = 20
FREE_BYTES = 2 * 1024**3
LOG_SECONDS = 2  # for the last lines of a server that has ended to reach its log


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
def exclusive(settings: Settings) -> Iterator[None]:
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
    with exclusive(settings):
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
    writers: dict[str, subprocess.Popen[bytes]] = {}
    for server in missing:
        running[server.name], writers[server.name] = _start(layout, server)
        _write(layout, engine, running)
    if missing:
        moved = [f"{name} {port}" for name, port in layout.ports.items() if port != PORTS[name]]
        say(f"starting {', '.join(server.name for server in missing)}")
        if moved:
            say(f"ports other than the defaults: {', '.join(moved)}")
    _wait(layout, wanted, running, writers)
    return read(settings)


def start(settings: Settings, server_of: Callable[[Layout], Server], say: Callable[[str], None]) -> Layout:
    """Start a server beside those that run, unless it does, and wait until it is healthy; within `exclusive`."""
    state = read(settings)
    running = {name: process for name, process in state["processes"].items() if process.handle()}
    layout = Layout(settings, choose_ports(settings, state["ports"], running))
    server = server_of(layout)
    writers: dict[str, subprocess.Popen[bytes]] = {}
    if server.name not in running:
        say(f"starting {server.name}")
        running[server.name], writers[server.name] = _start(layout, server)
        state["processes"][server.name] = running[server.name]
        recorded = [asdict(process) for process in state["processes"].values()]
        _record(settings, {**state, "ports": dict(layout.ports), "processes": recorded})
    _wait(layout, [server], running, writers)
    return layout


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


def _start(layout: Layout, server: Server) -> tuple[Process, subprocess.Popen[bytes]]:
    """Start a server, and the process that writes its log."""
    log = layout.folder("logs") / f"{server.name}.log"
    command = [sys.executable, "-I", "-S", str(rotate.__file__), str(log)]
    source, out = os.pipe()
    try:
        # Without outputs of its own: it outlives the command, whose reader may wait for the end of its output.
        nowhere = subprocess.DEVNULL
        writer = subprocess.Popen(command, stdin=source, stdout=nowhere, stderr=nowhere, start_new_session=True)
        started = subprocess.Popen(
            server.command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=layout.folder("tmp"),
            env=_environment(server),
            start_new_session=True,
        )
    finally:
        os.close(source)
        os.close(out)
    return Process(server.name, started.pid, psutil.Process(started.pid).create_time()), writer


def _wait(
    layout: Layout,
    wanted: list[Server],
    running: Mapping[str, Process],
    writers: Mapping[str, subprocess.Popen[bytes]],
) -> None:
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
                    with contextlib.suppress(KeyError, subprocess.TimeoutExpired):
                        writers[server.name].wait(LOG_SECONDS)
                    raise ServerError(f"{server.name} ended while starting: {logs.last_words(log)}", f"see {log}")
                if time.monotonic() > end:
                    raise ServerError(f"{server.name} is not healthy after {START_SECONDS} s", f"see {log}")
            time.sleep(0.2)


def down(settings: Settings) -> list[str]:
    """Stop what `up` started and nothing else, last started first; returns the names of the servers."""
    with exclusive(settings):
        processes = list(read(settings)["processes"].values())
        ended = []
        for process in reversed(processes):
            if stop(process):
                ended.append(process.name)
        if settings.stack_file.exists():  # the ports stay this home's, for connections that people saved
            _record(settings, {**read(settings), "processes": []})
        return ended


def stop(process: Process) -> bool:
    """Stop a process and wait until it has ended; False where it had."""
    handle = process.handle()
    if handle is None:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):  # it ended by itself just now
        handle.send_signal(signal.SIGTERM)
        try:
            handle.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            handle.kill()
            handle.wait(STOP_SECONDS)
    return True
