"""The rows that violate an expectation: the query that returns all of them, and which of their values may be shown.

A page is copied, sent and archived, so it shows nothing that could be personal. Shown are numbers, booleans, dates and
times, ids by their form (UUID, 24 hex digits), and texts of the columns that the suite lists under
`meta.not_personal`, such as the path of a file. Every other text is redacted; the SQL on the page returns it to those
who may read the tables. So a producer's e-mail address in any field reaches no page, not even as an id.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from etl.servers.hive import Query, Result
from etl.validate.suites import QUERY, Suite

HIDDEN = "(not shown)"
MOST = 100_000  # rows that are fetched: more would only fill memory and disk
NAMED = 5  # values that the result of an expectation names
NOT_PERSONAL = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{24}"
    r"|\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d:\d\d(?:\.\d+)?Z?)?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True)
class Failing:
    """The rows that violate one expectation, redacted; `statement` returns them as they are."""

    statement: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    @property
    def count(self) -> str:
        """Their number in words."""
        return f"at least {MOST:,}" if len(self.rows) >= MOST else f"{len(self.rows):,}"

    def names(self, columns: Collection[str]) -> str:
        """The first values of these columns, ` (a, b)`; nothing where there are none."""
        places = [place for place, column in enumerate(self.columns) if column in columns]
        values = sorted({str(row[place]) for row in self.rows for place in places if row[place] is not None})
        return f" ({', '.join(values[:NAMED])})" if values else ""


def redact(value: Any, is_open: bool = False) -> Any:
    """The value, or `(not shown)` for a text that could be personal; `is_open` shows every text."""
    if value is None or isinstance(value, bool | int | float | Decimal | datetime.date):
        return value
    return value if isinstance(value, str) and (is_open or NOT_PERSONAL.fullmatch(value)) else HIDDEN


def statement(suite: Suite, expectation: Mapping[str, Any]) -> str | None:
    """The query of the rows that violate an expectation; None where it is not about rows."""
    kwargs = expectation["kwargs"]
    if expectation["type"] == QUERY:
        return str(kwargs["unexpected_rows_query"])
    if expectation["type"] not in CONDITIONS:
        return None
    column = kwargs["column"]
    columns = ", ".join(dict.fromkeys([*suite.meta["keys"], column]))
    condition = CONDITIONS[expectation["type"]](column, kwargs)
    return f"SELECT {columns}\nFROM (\n    {suite.rows}\n) AS failing\nWHERE {condition}"


def fetch(query: Query, sql: str, open_columns: Collection[str]) -> Failing:
    """Fetch the rows, 100,000 at most. Raises StatementError when the server cannot run it."""
    return redacted(sql, query(f"{sql}\nLIMIT {MOST}"), open_columns)


def redacted(sql: str, result: Result, open_columns: Collection[str]) -> Failing:
    """The rows that a statement returned, without what could be personal."""
    is_open = [column in open_columns for column in result.columns]
    return Failing(sql, result.columns, [tuple(map(redact, row, is_open)) for row in result.rows])


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value)


def _between(column: str, kwargs: Mapping[str, Any]) -> str:
    sides = (("min_value", "<", "strict_min"), ("max_value", ">", "strict_max"))
    return " OR ".join(
        f"{column} {sign}{'=' if kwargs.get(strict) else ''} {_literal(kwargs[name])}"
        for name, sign, strict in sides
        if kwargs.get(name) is not None
    )


# Great Expectations has this SQL too (`unexpected_index_query`), but wrong for rows that a query returns.
CONDITIONS: dict[str, Callable[[str, Mapping[str, Any]], str]] = {
    "expect_column_values_to_not_be_null": lambda column, _: f"{column} IS NULL",
    "expect_column_values_to_be_null": lambda column, _: f"{column} IS NOT NULL",
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_be_in_set": lambda column, kwargs: (
        f"{column} NOT IN ({', '.join(map(_literal, kwargs['value_set']))})"
    ),
}
