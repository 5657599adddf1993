"""Asks questions in SQL and prints the rows: as a table for people, as CSV or JSON for programs."""

from __future__ import annotations

import csv
import datetime
import io
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from etl import sqlfile
from etl.errors import UsageError
from etl.hive import Hive, Result
from etl.settings import Settings

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # what a terminal would obey


def read(statement: str | None, path: Path | None, values: Mapping[str, str]) -> list[str]:
    """The statements to run: of the text or of the file, with the file's declared parameters put in.

    Raises UsageError when there is not exactly one of both, or nothing in it.
    """
    if (statement is None) == (path is None):
        raise UsageError("give either one SQL text or -f FILE", 'such as ./warehouse query "SELECT 1"')
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read: {error}", "name a SQL file") from error
        parameters = sqlfile.SqlFile(path, text).parameters
    else:
        text, parameters = statement or "", {}
    found = sqlfile.split(sqlfile.substitute(text, parameters, values, str(path or "the query")))
    if not found:
        raise UsageError("there is no statement to run", 'such as ./warehouse query "SELECT 1"')
    return found


def query(settings: Settings, statements: list[str]) -> Result:
    """Run the statements in one session; the last one's rows."""
    with Hive(settings) as hive:
        *before, last = statements
        for statement in before:
            hive.query(statement)
        return hive.query(last)


def formatted(result: Result, form: str) -> str:
    """The rows as `json` (an array, one object a line), `csv` (with a header, NULL empty) or `table`."""
    if form == "json":
        rows = [msgspec.json.encode(row, enc_hook=_plain).decode() for row in result.dictionaries()]
        return "[" + ",\n ".join(rows) + "]"
    if form == "csv":
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(result.columns)
        writer.writerows([["" if value is None else _text(value) for value in row] for row in result.rows])
        return out.getvalue().rstrip("\n")
    return _table(result)


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else str(value)


def _text(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _table(result: Result) -> str:
    """Columns side by side, numbers to the right; control characters in the data are shown, not obeyed."""
    if not result.columns:
        return "done"
    cells = [
        ["NULL" if value is None else CONTROL.sub(lambda one: f"\\x{ord(one[0]):02x}", _text(value)) for value in row]
        for row in result.rows
    ]
    table = [result.columns, *cells]
    widths = [max(len(row[n]) for row in table) for n in range(len(result.columns))]
    numeric = [all(isinstance(row[n], int | float | Decimal | None) for row in result.rows) for n in range(len(widths))]

    def line(row: list[str]) -> str:
        parts = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, numeric, strict=True)
        ]
        return "  ".join(parts).rstrip()

    rule = "  ".join("-" * width for width in widths)
    count = f"({len(cells)} row{'' if len(cells) == 1 else 's'})"
    return "\n".join([line(result.columns), rule, *map(line, cells), count])
