"""A database connection for Great Expectations that sends its statements by a session of ours.

So its statements end in time, are counted with all others, and an error keeps its cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyhive.hive import HiveParamEscaper

from etl.errors import WarehouseError
from etl.servers.hive import Query, Result

COUNT = "SELECT count(*) AS `table.row_count`"


class RuleConnection:
    """A DB-API connection. After a statement failed, every other one fails with the same `error`.

    Great Expectations sends the query of the rows only for the names of its columns, and counts the rows by a statement
    of its own. Both are answered here where the answer is there already: the columns of the SQL file, and `total`.
    """

    def __init__(self, query: Query, rows: str, columns: Sequence[str], total: int | None = None) -> None:
        self.query, self.rows, self.columns, self.total = query, rows, columns, total
        self.error: WarehouseError | None = None

    def cursor(self, *_: Any, **__: Any) -> RuleCursor:
        """A cursor for one statement at a time."""
        return RuleCursor(self)

    def commit(self) -> None:
        """Nothing to commit: it only reads."""

    def rollback(self) -> None:
        """Nothing to roll back."""

    def close(self) -> None:
        """The session belongs to its owner."""


class RuleCursor:
    """A DB-API cursor, as far as SQLAlchemy uses it."""

    arraysize, rowcount = 1, -1

    def __init__(self, connection: RuleConnection) -> None:
        self._connection = connection
        self._result = Result()

    @property
    def description(self) -> list[tuple[Any, ...]] | None:
        """Name and unknown type of each column, None for no columns."""
        return [(name, *[None] * 6) for name in self._result.columns] or None

    def execute(self, operation: str, parameters: Any = None, **_: Any) -> None:
        """Run one statement. Raises StatementError when it fails, ServerError when the server goes away."""
        if operation == self._connection.rows:
            self._result = Result(list(self._connection.columns), [])
            return
        if self._connection.total is not None and operation.startswith(COUNT):
            self._result = Result(["row_count"], [(self._connection.total,)])
            return
        if self._connection.error:  # it would try every rule by itself, three times
            raise self._connection.error
        text = operation % HiveParamEscaper().escape_args(parameters) if parameters else operation
        try:
            self._result = self._connection.query(text)
        except WarehouseError as error:
            self._connection.error = error
            raise
        self._result = Result(self._result.columns, list(self._result.rows))

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row, None after the last."""
        return self._result.rows.pop(0) if self._result.rows else None

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:
        """The next rows."""
        return [self._result.rows.pop(0) for _ in range(min(size, len(self._result.rows)))]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that are left."""
        rows, self._result.rows = self._result.rows, []
        return rows

    def close(self) -> None:
        """Nothing is open."""
