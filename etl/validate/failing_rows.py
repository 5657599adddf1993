"""The rows that do not meet an expectation: the SQL that finds all of them, and what of them may be shown.

A page is copied, sent and kept, so none shows what could be personal. Shown are numbers, yes or no, days and times,
ids by their form (UUID, 24 hex digits), and texts of the columns that the suite lists under `meta.not_personal`:
made by machines, such as a file's path. Every other text stays where it is; the SQL on the page fetches it for those
who may read the tables. So a producer's e-mail address in any field reaches no page, not even as an id.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from etl.servers.hive import Query

HIDDEN = "(not shown)"
ALL = "a"  # sorts before the name of every part
MOST = 100_000  # rows that are fetched: more of them would tell nobody more, and fill the memory and the disk
NAMED = 5  # things that the rows of one expectation are about, named in its result
SHOWN = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{24}"
    r"|\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d:\d\d(?:\.\d+)?Z?)?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True)
class Failing:
    """The rows of one expectation, as they may be shown; `statement` gives them as they are, and all columns asked."""

    statement: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    count: int

    def named(self, columns: Collection[str]) -> str:
        """What these columns name, the first few: `: a, b`; nothing where they name nothing."""
        places = [place for place, column in enumerate(self.columns) if column in columns]
        values = sorted({str(row[place]) for row in self.rows for place in places if row[place] is not None})
        return f": {', '.join(values[:NAMED])}" if values else ""


def told(value: Any, is_open: bool = False) -> Any:
    """The value, or that it is not shown."""
    if value is None or isinstance(value, bool | int | float | Decimal | datetime.date):
        return value
    return value if isinstance(value, str) and (is_open or SHOWN.fullmatch(value)) else HIDDEN


def seen_as(table: str) -> str:
    """The view by which readers see a versioned table."""
    return table.rpartition("_v")[0]


def batch(table: str, build_id: str | None, first_part: str = ALL) -> str:
    """What a suite is about: the rows of one build from a part on; what readers see where no build fills the table."""
    if build_id is None:
        return f"SELECT * FROM {seen_as(table)}"  # noqa: S608
    where = f"build_id = '{build_id}'" + ("" if first_part == ALL else f" AND part >= '{first_part}'")
    return f"SELECT * FROM {table} WHERE {where}"  # noqa: S608


def statement(
    table: str, build_id: str | None, suite: Mapping[str, Any], wanted: Mapping[str, Any], first_part: str = ALL
) -> str | None:
    """The SQL of the rows that do not meet an expectation; None where it is not about rows."""
    kwargs = wanted["kwargs"]
    if asked := kwargs.get("unexpected_rows_query"):
        found = f"SELECT * FROM (\n{asked.format(batch='batch')}\n) AS unexpected"  # noqa: S608
    elif make := CONDITIONS.get(wanted["type"]):
        columns = kwargs.get("column_list") or [kwargs["column"]]
        source, condition = make(columns, kwargs)
        listed = ", ".join(dict.fromkeys([*suite.get("meta", {}).get("keys", ()), *columns]))
        found = f"SELECT {listed}\nFROM {source}\nWHERE {condition}"
    else:
        return None
    return f"WITH batch AS (\n    {batch(table, build_id, first_part)}\n)\n{found}"


def find(query: Query, sql: str, open_columns: Collection[str]) -> Failing:
    """Fetch the rows. Raises StatementError when the server cannot."""
    result = query(f"{sql}\nLIMIT {MOST}")
    is_open = [column in open_columns for column in result.columns]
    rows = [tuple(map(told, row, is_open)) for row in result.rows]
    count = len(rows)
    if count == MOST:
        head, _, rest = sql.partition("\n)\n")
        count = query(f"{head}\n)\nSELECT COUNT(*) FROM (\n{rest}\n) AS failing").rows[0][0]
    return Failing(sql, result.columns, rows, count)


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value)


def _between(columns: Sequence[str], kwargs: Mapping[str, Any]) -> tuple[str, str]:
    (column,) = columns
    sides = (("min_value", "<", "strict_min"), ("max_value", ">", "strict_max"))
    parts = [
        f"{column} {sign}{'=' if kwargs.get(strict) else ''} {_literal(kwargs[name])}"
        for name, sign, strict in sides
        if kwargs.get(name) is not None
    ]
    return "batch", " OR ".join(parts)


def _outside(columns: Sequence[str], kwargs: Mapping[str, Any]) -> tuple[str, str]:
    return "batch", f"{columns[0]} NOT IN ({', '.join(map(_literal, kwargs['value_set']))})"


def _doubled(columns: Sequence[str], _: Mapping[str, Any]) -> tuple[str, str]:
    """Rows that are alike in these columns; one that lacks a value is like no other."""
    copies = f"COUNT(*) OVER (PARTITION BY {', '.join(columns)}) AS copies"
    source = f"(\n    SELECT *, {copies}\n    FROM batch\n) AS counted"  # noqa: S608
    return source, " AND ".join(["copies > 1", *(f"{column} IS NOT NULL" for column in columns)])


# Great Expectations has this SQL too (`unexpected_index_query`), but writes it wrongly for a batch that is a query.
CONDITIONS: dict[str, Callable[[Sequence[str], Mapping[str, Any]], tuple[str, str]]] = {
    "expect_column_values_to_not_be_null": lambda columns, _: ("batch", f"{columns[0]} IS NULL"),
    "expect_column_values_to_be_null": lambda columns, _: ("batch", f"{columns[0]} IS NOT NULL"),
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_be_in_set": _outside,
    "expect_column_values_to_be_unique": _doubled,
    "expect_compound_columns_to_be_unique": _doubled,
}
