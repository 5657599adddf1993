"""Arrays, maps and structs as JSON. HiveServer2 sends them so; Spark sends text whose quotes are not escaped."""

from __future__ import annotations

from collections.abc import Iterator

from etl.errors import UsageError
from etl.query.formats import NESTED, check_names
from etl.query.statements import check_reads, keyword
from etl.servers.hive import Hive, Result, StatementError

OPTIONS = "map('ignoreNullFields', 'false')"


def blocks(hive: Hive, engine: str, statement: str) -> Iterator[Result]:
    """The rows of a statement by blocks, as Hive gives them, where every nested column holds JSON."""
    types = _types(hive, statement) if engine == "spark" else {}
    if not any(kind in NESTED for kind in types.values()):
        yield from hive.blocks(statement)
        return
    chosen = ", ".join(_column(name, kind in NESTED) for name, kind in types.items())
    for block in hive.blocks(f"SELECT {chosen} FROM ({statement})"):  # noqa: S608 (it is the user's own)
        yield Result(block.columns, block.rows, list(types.values()))


def _types(hive: Hive, statement: str) -> dict[str, str]:
    """The columns of a query on Spark with their types, without running it; none of what is no query."""
    try:
        check_reads([statement])
        if keyword(statement) in ("SHOW", "DESCRIBE", "DESC", "EXPLAIN"):
            return {}
        rows = hive.query(f"DESCRIBE QUERY {statement}").rows
    except (UsageError, StatementError):  # the server reports what is wrong when it runs the statement itself
        return {}
    check_names([name for name, *_ in rows])
    return {name: kind.partition("<")[0].upper() for name, kind, *_ in rows}


def _column(name: str, is_nested: bool) -> str:
    quoted = f"`{name.replace('`', '``')}`"
    return f"TO_JSON({quoted}, {OPTIONS}) AS {quoted}" if is_nested else quoted
