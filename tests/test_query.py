"""What `query` reads and prints: rows as a table for people, as CSV and JSON for programs."""

from __future__ import annotations

import csv
import datetime
import io
import json
from decimal import Decimal
from pathlib import Path

import pytest

from etl import query
from etl.errors import UsageError
from etl.servers.hive import Result

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


@pytest.mark.parametrize(("value", "shown"), NASTY.items())
def test_a_table_shows_what_a_terminal_would_obey(value: str, shown: str) -> None:
    head, _, cell, count = query.formatted(Result([value], [(value,)]), "table").split("\n")
    assert head == cell == shown and count == "(1 row)"


@pytest.mark.parametrize("value", NASTY)
def test_csv_and_json_hold_the_very_text(value: str) -> None:
    result = Result(["text", "other"], [(value, 'a "b", c')])
    found = list(csv.reader(io.StringIO(query.formatted(result, "csv"), newline="")))
    assert found == [["text", "other"], [value, 'a "b", c']]
    assert json.loads(query.formatted(result, "json")) == [{"text": value, "other": 'a "b", c'}]
    assert "\x1b" not in query.formatted(result, "json")


def test_wide_characters_take_two_columns() -> None:
    lines = query.formatted(Result(["text", "n"], [("数学", 1), ("abcdef", 22)]), "table").splitlines()
    assert lines == ["text     n", "------  --", "数学     1", "abcdef  22", "(2 rows)"]


def test_a_long_text_is_not_cut() -> None:
    assert "x" * 5000 in query.formatted(Result(["text"], [("x" * 5000,)]), "table")


def test_no_line_ends_in_blanks() -> None:
    lines = query.formatted(Result(["a", "b"], [("x", ""), ("y", "long")]), "table").splitlines()
    assert all(line == line.rstrip() for line in lines)


def test_a_file_is_read_with_its_parameters(tmp_path: Path) -> None:
    path = tmp_path / "x.sql"
    path.write_text("-- a.b: c\n-- Parameters: day date\nSET x=1;\nSELECT '${day}';\n")
    assert query.read(None, path, {"day": "2026-01-02"}) == ["SET x=1", "SELECT '2026-01-02'"]


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
        query.read(statement, path, values)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.sql").write_bytes(b"SELECT '\xff'")
    for name in ("missing.sql", "latin.sql", "."):
        with pytest.raises(UsageError, match="cannot be read"):
            query.read(None, tmp_path / name, {})
