"""Looks at one table: its suite is run, the rows that are not as expected are fetched, both are written as pages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etl.servers.hive import Query, StatementError, reduced
from etl.validate import checkpoint, data_docs
from etl.validate import failing_rows as failing
from etl.validate import summary_page as summary


@dataclass(frozen=True)
class Look:
    """A suite on the rows of a build, or of the whole table; `ask` opens a session where one is needed."""

    context: Any
    table: str
    suite: dict[str, Any]
    build_id: str | None
    checks: Any
    ask: Callable[[], AbstractContextManager[Query]]
    first_part: str = failing.ALL
    pages: dict[tuple[Any, ...], str] = field(default_factory=dict)

    def run(self, folder: Path, run_id: str) -> list[dict[str, Any]]:
        """A row per expectation, as in ops.expectation_results; the pages are written into the folder."""
        done = checkpoint.run(self.context, self.checks, self.suite, run_id)
        known = {"table_name": self.table, "suite": self.suite["name"]}
        rows = [{**known, **checkpoint.row(result)} for result in done.results]
        if not all(row["is_met"] for row in rows):
            with self.ask() as query:
                for number, row in enumerate(rows):
                    if not row["is_met"]:
                        self._find(query, folder, number, row, done.results[number])
        data_docs.pages(folder, self.table, self.checks.suite, done)
        return rows

    def _find(self, query: Query, folder: Path, number: int, row: dict[str, Any], result: Any) -> None:
        """Fetch the rows that are not as expected; where the expectation is a query, they are what was observed."""
        wanted = self.suite["expectations"][number]
        sql = failing.statement(self.table, self.build_id, self.suite, wanted, self.first_part)
        if sql is None or checkpoint.failure(result):
            return
        try:
            found = failing.find(query, sql, self.suite.get("meta", {}).get("not_personal", ()))
        except StatementError as error:  # it is not met all the same
            row["observed"] += f", its rows could not be fetched{checkpoint.SAID}{reduced(error)}"
            return
        if wanted["type"] == checkpoint.QUERY:
            result.result = {"observed_value": found.count}
            row["observed"] = f"{found.count}{found.named(wanted.get('meta', {}).get('names', ()))}"
        self.pages[summary.key(row)] = summary.rows_pages(folder, f"{self.table}-{number + 1}", row, found)
