"""What `query` and `export` give of real servers."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from commands import Run

from etl.query import export

TYPES = (
    "SELECT CAST(1.50 AS DECIMAL(10, 2)) AS price, CAST('2026-01-02 03:04:05.5' AS TIMESTAMP) AS seen_at, "
    "CAST('2026-01-02' AS DATE) AS day, CAST(NULL AS STRING) AS nothing, '' AS blank, TRUE AS is_good, "
    "CAST(9007199254740993 AS BIGINT) AS big, CAST(0.1 AS DOUBLE) AS ratio, ARRAY(1, 2) AS list, "
    "NAMED_STRUCT('text', 'a \"b\"', 'other', ARRAY('x')) AS pair"
)
ROW = {
    "price": 1.5, "seen_at": "2026-01-02T03:04:05.500000", "day": "2026-01-02", "nothing": None, "blank": "",
    "is_good": True, "big": 9007199254740993, "ratio": 0.1, "list": [1, 2], "pair": {"text": 'a "b"', "other": ["x"]},
}  # fmt: skip
both_engines = pytest.mark.parametrize("engine", ["spark", "hive"])


@both_engines
def test_each_type_arrives_as_it_is(engine: str, run: Run) -> None:
    assert json.loads(run("query", "--engine", engine, TYPES, "--json").stdout) == [ROW]
    text = run("query", "--engine", engine, TYPES, "--format", "csv").stdout
    assert text.splitlines()[1].startswith('1.50,2026-01-02 03:04:05.500000,2026-01-02,,"",true,9007199254740993,0.1,')


@both_engines
def test_an_export_keeps_the_types(engine: str, run: Run, tmp_path: Path) -> None:
    for ending in export.WRITERS:
        stderr = run("export", "--engine", engine, TYPES, "--to", str(tmp_path / f"x{ending}")).stderr
        assert stderr.startswith("exported 1 rows to ")
    table = pyarrow.parquet.read_table(tmp_path / "x.parquet")
    assert [str(kind) for kind in table.schema.types] == [
        "decimal128(10, 2)", "timestamp[us]", "date32[day]", "string", "string", "bool", "int64", "double", "string",
        "string",
    ]  # fmt: skip
    (row,) = table.to_pylist()
    assert row["price"] == Decimal("1.50") and row["seen_at"] == datetime.datetime(2026, 1, 2, 3, 4, 5, 500_000)
    assert row["day"] == datetime.date(2026, 1, 2) and row["nothing"] is None and row["blank"] == ""
    assert json.loads(row["pair"]) == ROW["pair"] and row["big"] == ROW["big"]
    assert [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()] == [ROW]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.csv", "x.jsonl", "x.parquet"]


def test_an_export_that_fails_leaves_the_file_as_it_was(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("before")
    statement = "SELECT id, IF(id = 150000, RAISE_ERROR('broken'), 'x') AS text FROM RANGE(200000)"
    stderr = run("export", statement, "--to", str(path), code=1).stderr
    assert "broken" in stderr and stderr.count("\n") == 1
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]
    assert "No such file" in run("export", "SELECT 1 AS n", "--to", str(tmp_path / "no" / "x.csv"), code=1).stderr


def test_query_only_reads_without_write(run: Run) -> None:
    assert "not CREATE" in run("query", "SELECT 1 AS n; CREATE DATABASE of_a_test", code=2).stderr
    run("query", "--write", "CREATE DATABASE of_a_test; DROP DATABASE of_a_test")


def test_all_statements_print_their_rows(run: Run) -> None:
    words = ("query", "--write", "CREATE TEMPORARY VIEW v AS SELECT 5 AS n; SELECT n FROM v; SELECT n + 1 AS m FROM v")
    assert run(*words).stdout == "done\n\nn\n-\n5\n(1 row)\n\nm\n-\n6\n(1 row)\n"
    assert run(*words, "--format", "csv").stdout == "n\n5\n\nm\n6\n"
    assert run(*words, "--json").stdout == '[{"n":5}]\n[{"m":6}]\n'
    assert run("query", "-", "--format", "csv", stdin=b"SELECT 1 AS n; SELECT 2 AS n").stdout == "n\n1\n\nn\n2\n"


@both_engines
def test_a_plan_is_printed_line_by_line(engine: str, run: Run) -> None:
    lines = run("query", "--engine", engine, "EXPLAIN SELECT 1 AS n").stdout.splitlines()
    assert len(lines) > 2 and not any("\\x0a" in line or "(1 row)" in line for line in lines)
