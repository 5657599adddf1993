"""One table in three layouts, to choose its partitions by: none, by month and by day of the attempt."""

from __future__ import annotations

import datetime
import time

from benchmarks.queries import timed
from benchmarks.stack import Stack
from benchmarks.steps import Size
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive

LAYOUTS = {"none": 0, "month": 7, "day": 10}  # the characters of started_date that a partition is named by
SOURCE = "flat.question_options AS options JOIN flat.attempts AS attempts ON options.attempt_id = attempts.attempt_id"
COLUMNS = "options.attempt_id, question_position, option_position, option_id, is_checked, clicked_at, started_date"
COUNTED = "SELECT COUNT(*), COUNT(DISTINCT option_id), SUM(CASE WHEN is_checked THEN 1 ELSE 0 END) FROM"


def compare(stack: Stack, size: Size) -> None:
    """Write a copy of the options in each layout, then query all of it and one week of it, in one session of Spark."""
    hdfs = Hdfs(stack.settings)
    with Hive(stack.settings) as hive:
        days = hive.query(f"SELECT MIN(started_date), MAX(started_date) FROM {SOURCE}").rows[0]  # noqa: S608
        first, last = (datetime.date.fromisoformat(day) for day in days)
        week = first + (last - first) // 2
        hive.query("CREATE DATABASE IF NOT EXISTS scratch")
        # As Spark does by default, rows are sorted by day first: a file of each open at once fills the heap.
        hive.query("SET spark.sql.maxConcurrentOutputFileWriters = 0")
        try:
            for name, length in LAYOUTS.items():
                began = time.monotonic()
                hive.query(_copied(stack, name, length))
                folder = ("scratch", name)
                size.add(f"layout.{name}.write", time.monotonic() - began, size=hdfs.size(*folder), messages=0)
                size.steps[f"layout.{name}.write"].files = len(hdfs.files(*folder))
                for asking, where in (("all", ""), ("week", _within(week, length))):
                    for seconds in timed(hive.query, f"{COUNTED} scratch.options_{name}{where}"):
                        size.add(f"layout.{name}.{asking}", seconds, messages=0)
        finally:
            hive.query("DROP DATABASE scratch CASCADE")
            hdfs.remove("scratch")


def _copied(stack: Stack, name: str, length: int) -> str:
    """The statement that copies the options into a table with this partitioning."""
    partitioned = "PARTITIONED BY (started_in)" if length else ""
    started_in = f", SUBSTR(CAST(started_date AS STRING), 1, {length}) AS started_in" if length else ""
    return f"""CREATE TABLE scratch.options_{name} USING PARQUET {partitioned}
        OPTIONS (compression 'zstd') LOCATION '{stack.settings.warehouse_root}/scratch/{name}'
        AS SELECT {COLUMNS}{started_in} FROM {SOURCE}"""  # noqa: S608


def _within(first: datetime.date, length: int) -> str:
    """The condition of one week, as a user who knows the partitions would write it."""
    last = first + datetime.timedelta(6)
    clause = f" WHERE started_date BETWEEN '{first}' AND '{last}'"
    return clause + (f" AND started_in BETWEEN '{str(first)[:length]}' AND '{str(last)[:length]}'" if length else "")
