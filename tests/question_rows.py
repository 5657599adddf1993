"""Rows made by hand in the shape of a question's result, some of them longer than a page would like."""

from __future__ import annotations

import datetime
from typing import Any

import sqlglot
from sqlglot import exp

from etl.servers.hive import Result
from etl.sqlfile import SqlFile

TEXTS = ["exam_name", "worst_exam", "subject", "oddity", "treatment", "day_of_week", "duration", "trend", "verdict"]
TEXTS += ["most_frequent", "validated_release", "origin", "field_path", "first_message"]


def value(column: str, number: int) -> Any:
    """Something that fits the name of a column, now and then longer than one would like."""
    if column == "standing":
        return "warn"
    if column.startswith("is_"):
        return number % 2 == 0
    if column in TEXTS:
        return f"{column} {number} <of> " + "a rather long & winding name " * (number % 3)
    if column.endswith("_id"):
        return f"5e17ec71c0-{number:04}-4b6f-9a2e-00000000{number:04}"
    if column.endswith("_at"):
        return datetime.datetime(2026, 1, 1, 12, number)
    if column.endswith(("_date", "_week", "week_start")):
        return f"2026-01-{number + 1:02}"
    return number + 0.5 if column.endswith("_percent") else number * 1234


def rows_of(file: SqlFile) -> Result:
    """Rows by hand in the shape of the question's result."""
    tree = sqlglot.parse_one(file.statements()[0], read="hive")
    assert isinstance(tree, exp.Select)
    columns = list(tree.named_selects)
    count = 1 if file.header["Grain"].startswith("one row") else 17 if "line" in file.header["Chart"] else 7
    return Result(columns, [tuple(value(column, number) for column in columns) for number in range(count)])
