"""Statements that take long on either engine, and whether a server works on one."""

from __future__ import annotations

import time
from typing import Any

import psutil

from etl.settings import Settings
from stack import processes

# Slow by many rows, not by slow ones: Spark looks between batches of rows whether it was cancelled.
SLOW = {
    engine: f"""SELECT COUNT(*) AS pieces
FROM flat.question_options AS chosen LATERAL VIEW EXPLODE(SPLIT(REPEAT('a,', {count}), ',')) many AS piece
WHERE CONCAT(chosen.option_id, many.piece) LIKE '%nowhere%'"""
    for engine, count in {"spark": 5000, "hive": 1500}.items()
}


def server(settings: Settings, engine: str) -> psutil.Process:
    """The process that answers for an engine."""
    process = processes.read(settings)["processes"]["hiveserver2" if engine == "hive" else "spark"].handle()
    assert process is not None
    return process


def busy(process: psutil.Process) -> float:
    """Processors that a process kept busy over a second."""
    before = process.cpu_times()
    time.sleep(1)
    after = process.cpu_times()
    return float(after.user + after.system - before.user - before.system)


def wait_until(is_so: Any, seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not (is_seen := bool(is_so())) and time.monotonic() < end:
        time.sleep(0.2)
    return is_seen
