"""Stops the servers of a home when another process has ended, however it ended: `python -m stack.watchdog PID HOME`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from etl import local_stack
from etl.errors import WarehouseError
from etl.settings import PROJECT, load
from stack import processes

SECONDS = 0.5


def start(pid: int, home: Path) -> None:
    """Watch a process from one of its own, which outlives this one and everything that is killed with it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WAREHOUSE_")}
    subprocess.Popen(
        [sys.executable, "-m", "stack.watchdog", str(pid), str(home)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=PROJECT,
        env={**kept, "PYTHONPATH": str(PROJECT)},
        start_new_session=True,
    )


def watch(pid: int, home: Path) -> None:
    """Wait until the process has ended, or the servers of the home have; then stop what is left of these."""
    settings = load(home=home)
    has_started = False
    while _is_running(pid):
        is_up = bool(local_stack.read(home).running)
        if has_started and not is_up:
            return
        has_started = has_started or is_up
        time.sleep(SECONDS)
    while True:
        try:
            processes.down(settings)
        except WarehouseError:  # an `up` of the ended process is still running
            time.sleep(SECONDS)
            continue
        return


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


if __name__ == "__main__":
    watch(int(sys.argv[1]), Path(sys.argv[2]))
