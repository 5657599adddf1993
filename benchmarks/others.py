"""The other contestants: each a process of its own, measured and checked."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from benchmarks import measure
from benchmarks.messages import Expected, check
from benchmarks.stack import Stack
from benchmarks.steps import Size

THREADS = os.cpu_count() or 2  # the same as the stack's Spark server
SPARK = {"script": "script", "scalars": "script", "copy": "plain_copy", "pyspark": "plain_pyspark"}
COUNTS_ALL = ("script", "scalars", "copy")  # contestants that keep every message, duplicates included


def spark(name: str, stack: Stack, size: Size, expected: Expected, dump: Path) -> None:
    """A contestant that has a Spark of its own and leaves its result on HDFS."""
    more = {"pyspark": [str(dump)], "scalars": ["scalars"]}.get(name, [])
    try:
        _contestant(name, SPARK[name], stack, size, expected, name, str(THREADS), *more)
    finally:
        stack.remove(name)


def duckdb(stack: Stack, size: Size, expected: Expected, dump: Path) -> None:
    """DuckDB, from the dump to local Parquet."""
    folder = dump.parent / "duckdb"
    folder.mkdir()
    try:
        _contestant("duckdb", "duckdb_flat", stack, size, expected, str(dump), str(folder), str(THREADS))
    finally:
        shutil.rmtree(folder)


def _contestant(name: str, module: str, stack: Stack, size: Size, expected: Expected, *words: str) -> None:
    """Run its module once, and add what it took once its counts are the expected ones."""
    command = [sys.executable, "-m", f"benchmarks.contestants.{module}", *words]
    done = measure.run(command, stack.environment)
    document = json.loads(done.output.splitlines()[-1])
    wanted = {"messages": expected.messages} if name in COUNTS_ALL else expected.counts
    check(name, document["counts"], wanted)
    worked = document["work_seconds"]
    # Counting the result afterwards is not part of the work.
    whole = measure.Measured(document.get("start_seconds", 0) + worked, done.memory, "")
    size.add(name, whole, size=document["bytes"], start=document.get("start_seconds"))
    for query, seconds in document.get("answers", {}).items():
        for each in seconds:
            size.add(f"query.{name}.{query}", each, messages=0)
