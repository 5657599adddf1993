"""Values of every type, from a real server."""

from __future__ import annotations

import json

from etl import query
from etl.servers.hive import Hive
from etl.settings import Settings


def test_the_server_gives_each_type_as_it_is(settings: Settings) -> None:
    with Hive(settings) as hive:
        result = hive.query(
            "SELECT CAST(1.50 AS DECIMAL(10, 2)) AS price, TIMESTAMP '2026-01-02 03:04:05.5' AS seen_at, "
            "DATE '2026-01-02' AS day, CAST(NULL AS STRING) AS nothing, CHR(27) AS escape, TRUE AS is_good, "
            "CAST(9007199254740993 AS BIGINT) AS big, ARRAY(1, 2) AS list"
        )
    (row,) = json.loads(query.formatted(result, "json"))
    assert row == {
        "price": 1.5, "seen_at": "2026-01-02T03:04:05.500000", "day": "2026-01-02", "nothing": None, "escape": "\x1b",
        "is_good": True, "big": 9007199254740993, "list": "[1,2]",
    }  # fmt: skip
    assert "1.50" in query.formatted(result, "csv") and r"\x1b" in query.formatted(result, "table")


def test_the_last_statement_answers_and_those_before_it_hold(settings: Settings) -> None:
    found = query.query(settings, query.read("CREATE TEMPORARY VIEW v AS SELECT 5 AS n; SELECT n FROM v", None, {}))
    assert (found.columns, found.rows) == (["n"], [(5,)])
