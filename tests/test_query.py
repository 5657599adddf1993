"""What `query` reads and prints: rows as a table for people, as CSV and JSON for programs."""

from __future__ import annotations

import csv
import datetime
import io
import json
import os
import pty
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from etl import query
from etl.errors import UsageError, WarehouseError
from etl.query import export, statements
from etl.servers.hive import Result
from etl.settings import PROJECT, Settings
from etl.terminal import CONTROL

ROWS = Result(
    ["name", "count", "price", "seen_at", "day", "is_good"],
    [
        ("Ada", 3, Decimal("12345678901234567890.12"), datetime.datetime(2026, 1, 2, 3, 4, 5, 600), None, True),
        (None, None, Decimal("-0.50"), datetime.datetime(2026, 1, 2), datetime.date(2026, 1, 2), False),
    ],
)


def test_a_table_puts_numbers_to_the_right_and_shows_null() -> None:
    assert query.formatted(ROWS, "table").splitlines() == [
        "name  count                    price  seen_at                     day         is_good",
        "----  -----  -----------------------  --------------------------  ----------  -------",
        "Ada       3  12345678901234567890.12  2026-01-02 03:04:05.000600  NULL        true",
        "NULL   NULL                    -0.50  2026-01-02 00:00:00         2026-01-02  false",
        "(2 rows)",
    ]


def test_csv_tells_null_from_an_empty_text() -> None:
    rows = [(None, ""), ("", None), ('"', "a,b"), ("a\nb", "=1+1")]
    text = query.formatted(Result(["a", "b"], rows), "csv")
    assert text == 'a,b\n,""\n"",\n"""","a,b"\n"a\nb",=1+1'


def test_csv_has_a_header_and_leaves_null_empty() -> None:
    assert query.formatted(ROWS, "csv").splitlines() == [
        "name,count,price,seen_at,day,is_good",
        "Ada,3,12345678901234567890.12,2026-01-02 03:04:05.000600,,true",
        ",,-0.50,2026-01-02 00:00:00,2026-01-02,false",
    ]


def test_json_is_an_array_of_objects_and_loses_no_digit() -> None:
    text = query.formatted(ROWS, "json")
    assert text.splitlines()[0].startswith('[{"name":"Ada","count":3,"price":12345678901234567890.12,')
    first, second = json.loads(text, parse_float=Decimal)
    assert first["price"] == Decimal("12345678901234567890.12") and first["seen_at"] == "2026-01-02T03:04:05.000600"
    assert second == {
        "name": None, "count": None, "price": Decimal("-0.50"), "seen_at": "2026-01-02T00:00:00",
        "day": "2026-01-02", "is_good": False,
    }  # fmt: skip


def test_one_column_named_twice_is_no_json_object() -> None:
    with pytest.raises(UsageError, match="two columns are named n; name each with AS"):
        query.formatted(Result(["n", "n"], [(1, 2)]), "json")
    assert query.formatted(Result(["n", "n"], [(1, 2)]), "csv") == "n,n\n1,2"


@pytest.mark.parametrize(("form", "expected"), [("table", "a  b\n-  -\n(0 rows)"), ("csv", "a,b"), ("json", "[]")])
def test_no_rows_are_no_error(form: str, expected: str) -> None:
    assert query.formatted(Result(["a", "b"], []), form) == expected


@pytest.mark.parametrize(("form", "expected"), [("table", "done"), ("csv", ""), ("json", "[]")])
def test_a_statement_without_a_result_prints_that(form: str, expected: str) -> None:
    assert query.formatted(Result(), form) == expected


def test_one_row_is_counted_in_the_singular() -> None:
    assert query.formatted(Result(["n"], [(1,)]), "table").endswith("(1 row)")


NASTY = {
    "\x1b[2J\x1b[31mred": r"\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07": r"\x1b]0;title\x07",
    "a\nb\tc\rd": r"a\x0ab\x09c\x0dd",
    "\x00\x08\x7f": r"\x00\x08\x7f",
    "\x9b2J\x85": r"\x9b2J\x85",
    "abc\u202ecba": r"abc\u202ecba",
    "zero\u200bwidth\ufeff": r"zero\u200bwidth\ufeff",
    "\u2028\u2066x\u2069": r"\u2028\u2066x\u2069",
    "ünï 数 'quoted' \\": "ünï 数 'quoted' \\",
}


@pytest.mark.parametrize(("value", "displayed"), NASTY.items())
def test_a_terminal_gets_no_character_that_it_would_obey(value: str, displayed: str) -> None:
    result = Result([value], [(value,)])
    head, _, cell, count = query.formatted(result, "table", terminal=True).split("\n")
    assert head == cell == displayed and count == "(1 row)"
    assert list(csv.reader([query.formatted(result, "csv", terminal=True).split("\n")[1]])) == [[displayed]]
    text = query.formatted(result, "json", terminal=True)
    assert json.loads(text) == [{value: value}] and not CONTROL.search(text.replace("\n ", ""))


@pytest.mark.parametrize("value", NASTY)
def test_a_pipe_and_a_file_get_the_very_text(value: str) -> None:
    result = Result(["text", "other"], [(value, 'a "b", c')])
    rows = list(csv.reader(io.StringIO(query.formatted(result, "csv"), newline="")))
    assert rows == [["text", "other"], [value, 'a "b", c']]
    assert json.loads(query.formatted(result, "json")) == [{"text": value, "other": 'a "b", c'}]
    assert "\x1b" not in query.formatted(result, "json")


def test_standard_output_decides_whether_a_terminal_shows_it() -> None:
    code = "from etl import query; from etl.servers.hive import Result; "
    code += "print(query.formatted(Result(['a'], [('\\x1b[2J',)]), 'csv'), end='')"
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", code], stdout=theirs, cwd=PROJECT, check=True)
    os.close(theirs)
    assert os.read(ours, 1000).splitlines() == [b"a", b"\\x1b[2J"]
    os.close(ours)
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True).stdout == b"a\n\x1b[2J"


PRINTED = {  # what is printed: what a terminal gets, and a pipe
    "from etl.cli.shared import write; write(['\\x1b[2J\\x9b\\u202e\\U000e0041'])": (
        b'[\r\n  "\\u001b[2J\\u009b\\u202e\\udb40\\udc41"\r\n]\r\n',
        '[\n  "\\u001b[2J\x9b\u202e\U000e0041"\n]\n'.encode(),
    ),
    "from etl.terminal import write; write(b'a\\x1b[2J\\nb\\xff')": (b"a\\x1b[2J\r\nb\\xff\r\n", b"a\x1b[2J\nb\xff"),
}


@pytest.mark.parametrize("code", PRINTED)
def test_documents_and_messages_at_a_terminal_hold_nothing_that_it_would_obey(code: str) -> None:
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", code], stdout=theirs, cwd=PROJECT, check=True)
    os.close(theirs)
    assert os.read(ours, 1000) == PRINTED[code][0]
    os.close(ours)
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, check=True)
    assert done.stdout == PRINTED[code][1]


def test_a_link_is_kept_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to("x.csv")
    with export.replaced(tmp_path / "link.csv") as stream:
        stream.write(b"new")
    assert (tmp_path / "link.csv").is_symlink() and (tmp_path / "x.csv").read_bytes() == b"new"


def test_a_table_in_a_pipe_keeps_all_but_what_would_break_its_lines() -> None:
    lines = query.formatted(Result(["text"], [("a\nb\u2028c\u200dd\u202e\x1be",)]), "table").split("\n")
    assert lines[2:] == ["a\\x0ab\\u2028c\u200dd\u202e\x1be", "(1 row)"]


def test_wide_characters_take_two_columns() -> None:
    lines = query.formatted(Result(["text", "n"], [("数学", 1), ("abcdef", 22)]), "table").splitlines()
    assert lines == ["text     n", "------  --", "数学     1", "abcdef  22", "(2 rows)"]


def test_a_table_cuts_a_very_long_text_and_tells_its_length() -> None:
    rows = query.formatted(Result(["text"], [("x" * 1000,), ("y" * 9_000_000,)]), "table").splitlines()[2:]
    assert rows[0] == "x" * 1000 and rows[1] == "y" * 1000 + "… (9,000,000 characters)"
    assert len(query.formatted(Result(["text"], [("y" * 9_000_000,)]), "csv")) == len("text\n") + 9_000_000


def test_no_line_ends_in_blanks() -> None:
    lines = query.formatted(Result(["a", "b"], [("x", ""), ("y", "long")]), "table").splitlines()
    assert all(line == line.rstrip() for line in lines)


def test_a_file_is_read_with_its_parameters(tmp_path: Path) -> None:
    path = tmp_path / "x.sql"
    path.write_text("-- a.b: c\n-- Parameters: day date\nSET x=1;\nSELECT '${day}';\n")
    assert statements.read(None, path, {"day": "2026-01-02"}) == ["SET x=1", "SELECT '2026-01-02'"]


@pytest.mark.parametrize(
    ("statement", "text", "values", "message"),
    [
        (None, None, {}, "give either one SQL text or -f FILE"),
        ("SELECT 1", "SELECT 1", {}, "give either one SQL text or -f FILE"),
        ("", None, {}, "there is no statement to run"),
        (" ; -- nothing", None, {}, "there is no statement to run"),
        ("SELECT '", None, {}, "the SQL cannot be read"),
        ("SELECT ${a}", None, {}, r"the query uses \$\{a\} without declaring it"),
        ("SELECT 1", None, {"a": "1"}, "the query declares no parameter a"),
        (None, "-- a.b: c\nSELECT 1", {"a": "1"}, r"x\.sql declares no parameter a"),
        (None, "-- a.b: c\n-- Parameters: a date\nSELECT '${a}'", {}, r"x\.sql needs the parameter a; .* type date"),
        (None, "-- a.b: c\n-- Parameters: a date\nSELECT '${a}'", {"a": "x"}, "parameter a cannot be 'x'"),
        (None, "-- a.b: c\n-- Parameters: a thing\nSELECT ${a}", {"a": "x"}, "declares parameters as 'a thing'"),
    ],
)
def test_what_cannot_be_asked_is_told(
    statement: str | None, text: str | None, values: dict[str, str], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.sql" if text is not None else None
    if path and text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=message):
        statements.read(statement, path, values)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.sql").write_bytes(b"SELECT '\xff'")
    for name in ("missing.sql", "latin.sql", "."):
        with pytest.raises(UsageError, match="cannot be read"):
            statements.read(None, tmp_path / name, {})


# What only reads

READS = [
    "SELECT 1", "select 1", "(SELECT 1)", "((SELECT 1) UNION (SELECT 2)) ORDER BY 1", "VALUES (1, 2)", "TABLE x",
    "WITH a AS (SELECT (1)), b(n) AS (SELECT 2) SELECT * FROM a", "WITH a AS (SELECT 1) (SELECT 2)",
    "WITH RECURSIVE a AS (SELECT 1) SELECT 1", "(WITH a AS (SELECT 1) SELECT 1) UNION SELECT 2",
    "WITH a AS (SELECT 1) FROM a SELECT *", "FROM v SELECT a WHERE a > 1", "SELECT * FROM t TABLESAMPLE(10 ROWS)",
    "SELECT a FROM t DISTRIBUTE BY a SORT BY a", "SELECT * FROM t LATERAL VIEW OUTER EXPLODE(b) x AS y",
    "SHOW TABLES IN flat", "SHOW CREATE TABLE flat.attempts", "SHOW PARTITIONS raw.assessments", "DESCRIBE FORMATTED x",
    "DESC x", "EXPLAIN FORMATTED SELECT 1", "EXPLAIN INSERT INTO x SELECT 1", "EXPLAIN ANALYZE SELECT 1",
    "/* note */ -- DROP\nSELECT /*+ BROADCAST(a) */ größe FROM `ünï`.a", "SELECT 'INSERT INTO x', `drop` FROM t",
    "SELECT insert(name, 1, 1, 'x') FROM t", "SELECT java_method('java.lang.Math', 'abs', -1)",
    "SELECT TRANSFORM(a) USING 'cat' AS b FROM t", "SELECT \x1b", "SHOW \x1b[2J",
]  # fmt: skip
WRITES = {
    "DROP TABLE x": "DROP", "INSERT INTO x SELECT 1": "INSERT", "insert overwrite table x select 1": "INSERT",
    "WITH a AS (SELECT 1) INSERT INTO x SELECT * FROM a": "INSERT", "FROM t INSERT INTO x SELECT a": "INSERT INTO",
    "WITH a AS (SELECT (1)) FROM a INSERT OVERWRITE DIRECTORY '/x' SELECT *": "INSERT OVERWRITE",
    "FROM t SELECT a INSERT INTO x SELECT b": "INSERT INTO", "FROM (SELECT 1 AS n) q INSERT INTO x SELECT n": "INSERT",
    "WITH a(n) AS (SELECT 1), b AS (SELECT 2) DELETE FROM x": "DELETE",
    "WITH update AS (SELECT 1) MERGE INTO x": "MERGE",
    "EXPLAIN ANALYZE INSERT INTO x SELECT 1": "INSERT", "CREATE TABLE x AS SELECT 1": "CREATE",
    "UPDATE x SET a = 1": "U",
    "CREATE TEMPORARY VIEW x AS SELECT 1": "CREATE", "ALTER VIEW x AS SELECT 1": "ALTER", "TRUNCATE TABLE x": "TRUNC",
    "/* SELECT */ DROP VIEW x": "DROP", "(DROP TABLE x)": "DROP", "MSCK REPAIR TABLE x": "MSCK",
    "CACHE TABLE x": "CACHE",
    "ADD JAR x": "ADD", "SET x=1": "SET", "USE flat": "USE", "LOAD DATA INPATH 'x' INTO TABLE y": "LOAD", "!ls": "!",
    "dfs -rm x": "DFS", "EXPORT TABLE x TO 'y'": "EXPORT", "BEGIN DROP TABLE x": "BEGIN",
    "GRANT ALL ON x TO y": "GRANT",
    "EXECUTE IMMEDIATE 'DROP TABLE x'": "EXECUTE", "SELEKT 1": "SELEKT", "`SELECT` 1": "SELECT", "1": "1",
}  # fmt: skip


@pytest.mark.parametrize("statement", READS)
def test_what_reads_passes(statement: str) -> None:
    statements.check_reads(statements.read(statement, None, {}))


@pytest.mark.parametrize(("statement", "verb"), WRITES.items())
def test_what_writes_is_refused_by_its_kind(statement: str, verb: str) -> None:
    with pytest.raises(UsageError, match=rf"only statements that read .*, not {verb}.*--write runs it"):
        statements.check_reads(["SELECT 1", statement])


def test_the_check_prints_nothing_of_the_statement(capfd: pytest.CaptureFixture[str]) -> None:
    """A parser would warn of what it does not know, with the text as it is."""
    for statement in READS:
        statements.check_reads([statement])
    assert capfd.readouterr() == ("", "")


def test_standard_input_is_read_for_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("SELECT 'é';\nSELECT 2".encode()), "utf-8"))
    assert statements.read("-", None, {}) == ["SELECT 'é'", "SELECT 2"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff"), "utf-8"))
    with pytest.raises(UsageError, match="standard input cannot be read"):
        statements.read("-", None, {})


# Files, written without a server


def block(*rows: tuple[object, ...]) -> Result:
    return Result(["n", "text"], list(rows), ["BIGINT", "STRING"])


def test_row_groups_bound_what_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "GROUP_ROWS", 4)
    blocks = [block((1, "a"), (2, None), (3, "")), block((4, "d")), block((5, "é"))]
    with (tmp_path / "x.parquet").open("wb") as stream:
        export.WRITERS[".parquet"](iter(blocks), blocks[0], stream)
    file = pyarrow.parquet.ParquetFile(tmp_path / "x.parquet")
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [4, 1]
    assert file.read().column("text").to_pylist() == ["a", None, "", "d", "é"]


def test_an_export_without_rows_has_its_columns(tmp_path: Path) -> None:
    for ending, write in export.WRITERS.items():
        with (tmp_path / f"x{ending}").open("wb") as stream:
            write(iter([block()]), block(), stream)
    assert pyarrow.parquet.read_schema(tmp_path / "x.parquet").names == ["n", "text"]
    assert (tmp_path / "x.csv").read_text() == "n,text\n" and (tmp_path / "x.jsonl").read_text() == ""


@pytest.mark.parametrize(
    ("query_", "name", "message"),
    [
        ("SELECT 1", "x.xlsx", "cannot export to .*x.xlsx; end the name in .parquet, .csv, .jsonl"),
        ("SELECT 1; SELECT 2", "x.csv", "2 statements do not fit into one file"),
        ("DROP TABLE x", "x.csv", "not DROP"),
    ],
)
def test_what_cannot_be_exported_is_refused_before_a_server_is_needed(
    query_: str, name: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        export.export(Settings(home=tmp_path), query_, tmp_path / name, lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_a_file_takes_its_place_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    with export.replaced(path) as stream:
        stream.write(b"first")
        assert not path.exists()
    assert path.read_bytes() == b"first"
    with pytest.raises(KeyboardInterrupt), export.replaced(path) as stream:
        stream.write(b"second")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"first" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("missing/x.csv", WarehouseError, "cannot write .*missing/x.csv: No such file"),
        (".", UsageError, "is not a file; name a file"),
        (f"{'x' * 300}.csv", WarehouseError, "cannot write .*x.csv: File name too long"),
    ],
)
def test_a_path_that_cannot_be_written_is_named(
    name: str, error: type[WarehouseError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message), export.replaced(tmp_path / name):
        pass


def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with (
        pytest.raises(WarehouseError, match=r"cannot write .*x\.csv: No space left on device"),
        export.write_errors(tmp_path / "x.csv"),
        export.replaced(tmp_path / "x.csv"),
    ):
        full()
    assert list(tmp_path.iterdir()) == []
