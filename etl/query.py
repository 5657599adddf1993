"""Asks questions in SQL and prints the rows: as a table for people, as CSV or JSON for programs."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from rich.cells import cell_len

from etl import sqlfile
from etl.errors import UsageError
from etl.servers.hive import Hive, Result
from etl.settings import Settings
from etl.terminal import escaped

if TYPE_CHECKING:
    from etl.servers.hive_session import Watch

ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


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
    if unknown := set(values) - set(parameters):
        raise UsageError(f"{path or 'the query'} declares no parameter {min(unknown)}", "leave --hivevar out for it")
    found = sqlfile.statements(text, parameters, values, str(path or "the query"))
    if not found:
        raise UsageError("there is no statement to run", 'such as ./warehouse query "SELECT 1"')
    return found


def query(settings: Settings, statements: list[str], watch: Watch | None = None) -> Result:
    """Run the statements in one session; the last one's rows. `watch` as for Hive."""
    with Hive(settings, watch) as hive:
        *before, last = statements
        for statement in before:
            hive.query(statement)
        return hive.query(last)


def formatted(result: Result, form: str) -> str:
    """The rows as `json` (an array, one object a line), `csv` (with a header, NULL empty) or `table`."""
    if form == "json":
        if twice := [name for name in result.columns if result.columns.count(name) > 1]:
            raise UsageError(f"two columns are named {twice[0]}", "name each with AS, a JSON object holds a name once")
        rows = [ENCODER.encode(row).decode() for row in result.dictionaries()]
        return "[" + ",\n ".join(rows) + "]"
    if form == "csv":
        return lines([result.columns, *result.rows]).rstrip("\n")
    return _table(result)


def lines(rows: Iterable[Sequence[Any]]) -> str:
    """The rows as CSV, a line each; NULL is empty."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(
        ["" if value is None else exact(value) for value in row] for row in rows
    )
    return out.getvalue()


def exact(value: Any) -> str:
    """A value as text that loses no digit."""
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal | None) and not isinstance(value, bool)


def _table(result: Result) -> str:
    """Columns side by side, numbers to the right; control characters in the data are shown, not obeyed."""
    if not result.columns:
        return "done"
    head = [escaped(name) for name in result.columns]
    cells = [["NULL" if value is None else escaped(exact(value)) for value in row] for row in result.rows]
    widths = [max(cell_len(row[n]) for row in [head, *cells]) for n in range(len(head))]
    numeric = [all(_is_number(row[n]) for row in result.rows) for n in range(len(widths))]

    def line(row: list[str]) -> str:
        blanks = [" " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True)]
        parts = [
            blank + text if right else text + blank for text, blank, right in zip(row, blanks, numeric, strict=True)
        ]
        return "  ".join(parts).rstrip()

    rule = "  ".join("-" * width for width in widths)
    count = f"({len(cells)} row{'' if len(cells) == 1 else 's'})"
    return "\n".join([line(head), rule, *map(line, cells), count])
