"""A SQL file's header, its parameters and its statements; above all, what no value may do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlglot
from hostile import VALUES as HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot.tokens import TokenType  # type: ignore[attr-defined]

from etl import sqlfile
from etl.errors import UsageError
from etl.sqlfile import SqlFile
from etl.sqltext import TYPES, checked, split, statements, substitute

TEXT = """\
-- flat.visits: one row per visit: the last one wins.
-- Reads: raw.visits, raw.doors
-- Parameters: root text, landing integer,
--     build_id identifier, day date
-- Usage: ./warehouse beeline -f x.sql
-- a line without a key goes on

CREATE DATABASE IF NOT EXISTS flat;
-- Not: a header any more
CREATE EXTERNAL TABLE IF NOT EXISTS flat.visits_v2 (
    visit_id STRING COMMENT 'Its id; or none',
    doors ARRAY<STRUCT<name: STRING, open: BOOLEAN>> COMMENT 'Doors',
    cost DECIMAL(10, 2) COMMENT 'Cost'
) PARTITIONED BY (build_id STRING COMMENT 'Build', day DATE COMMENT 'Day')
LOCATION '${root}/flat';
SELECT '${day}' AS day, ${landing} AS landing FROM flat.visits_v2 WHERE build_id = '${build_id}'
"""
VALUES = {"root": "hdfs://here/w", "landing": "7", "build_id": "b1", "day": "2026-02-28"}
FILE = SqlFile(Path("/sql/2_flat/visits_v2.sql"), TEXT)


def with_parameters(line: str) -> SqlFile:
    return SqlFile(Path("x.sql"), f"-- a.b: c\n-- Parameters: {line}\nSELECT 1")


def test_the_header_tells_what_the_file_is() -> None:
    assert (FILE.name, FILE.title) == ("flat.visits", "one row per visit: the last one wins.")
    assert (FILE.stage, FILE.table, FILE.version) == ("2_flat", "flat.visits_v2", 2)
    assert FILE.reads == ["raw.visits", "raw.doors"]
    assert list(FILE.header) == ["Reads", "Parameters", "Usage"]
    assert FILE.header["Usage"] == "./warehouse beeline -f x.sql a line without a key goes on"


def test_a_table_that_cannot_be_parsed_is_named_with_its_file_and_line() -> None:
    file = SqlFile(Path("/sql/2_flat/broken_v1.sql"), "-- flat.broken: b.\nCREATE EXTERNAL TABLE flat.broken_v1 (\n  a")
    with pytest.raises(UsageError, match=r"^/sql/2_flat/broken_v1.sql cannot be read: .*; correct the statement$"):
        _ = file.columns


def test_the_digest_is_that_of_what_is_said(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        return sqlfile.SqlFile(tmp_path, f"-- a.b: c.\n{text}").sha256

    first = digest("SELECT 'a -- b' AS c, ${d} AS e;")
    assert digest("-- why\nSELECT 'a -- b' AS c,\n    ${d} AS e; -- because") == first
    for other in (
        "SELECT 'a  -- b' AS c, ${d} AS e;",
        "SELECT 'a -- b' AS c, ${e} AS e;",
        "SELECT 'a' AS c, ${d} AS e;",
    ):
        assert digest(other) != first


def test_parameters_have_a_name_and_a_type() -> None:
    assert FILE.parameters == {"root": "text", "landing": "integer", "build_id": "identifier", "day": "date"}
    assert with_parameters("none").parameters == {}
    assert SqlFile(Path("x.sql"), "SELECT 1").parameters == {}


@pytest.mark.parametrize("line", ["landing", "landing number", "a text b text", "a text,", ", a text", "a  b text"])
def test_a_parameter_line_of_another_form_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match=r"x\.sql declares parameters as .*types are identifier, integer, date, text"):
        _ = with_parameters(line).parameters


@pytest.mark.parametrize("text", ["", "SELECT 1", "--a.b: c", "-- a: c", "-- A.b: c", "-- a.b:", "\n-- a.b: c"])
def test_a_file_without_a_title_line_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"x\.sql does not begin with"):
        _ = SqlFile(Path("x.sql"), text).name


def test_columns_are_those_of_the_table_then_its_partitions() -> None:
    assert FILE.columns == [
        ("visit_id", "string"),
        ("doors", "array<struct<name:string,open:boolean>>"),
        ("cost", "decimal(10,2)"),
        ("build_id", "string"),
        ("day", "date"),
    ]
    assert with_parameters("none").columns == []


def test_statements_come_with_their_values() -> None:
    create, table, query = FILE.statements(VALUES)
    assert create == "CREATE DATABASE IF NOT EXISTS flat"
    assert table.startswith("CREATE EXTERNAL TABLE") and table.endswith("LOCATION 'hdfs://here/w/flat'")
    assert query.endswith("SELECT '2026-02-28' AS day, 7 AS landing FROM flat.visits_v2 WHERE build_id = 'b1'")


@pytest.mark.parametrize("missing", VALUES)
def test_a_parameter_that_is_not_given_is_named(missing: str) -> None:
    given_ = {name: value for name, value in VALUES.items() if name != missing}
    with pytest.raises(UsageError, match=rf"visits_v2\.sql needs the parameter {missing}; give it, of type \w+"):
        FILE.statements(given_)


def test_a_parameter_that_is_not_declared_is_named() -> None:
    with pytest.raises(UsageError, match=r"the text uses \$\{who\} without declaring it"):
        substitute("SELECT '${who}'", {}, {"who": "me"}, "the text")


def test_no_value_is_looked_at_twice() -> None:
    """A value cannot bring a variable in: its `$` is written as an escape, and it is not searched again."""
    assert substitute("${a}${b}", {"a": "identifier", "b": "identifier"}, {"a": "b", "b": "c"}, "x") == "bc"
    assert substitute("'${a}'", {"a": "text", "b": "text"}, {"a": "${b}", "b": "c"}, "x") == r"'\u0024{b}'"


def test_comments_are_left_alone_and_end_where_the_line_ends() -> None:
    text = "-- ${not_declared} \x0c \x1c \x85 \u2028 still a comment\n    -- ${x}\nSELECT 1 -- ${y}\n/* ${z} */"
    assert substitute(text, {}, {}, "x") == text
    assert split(text) == ["SELECT 1"]


@pytest.mark.parametrize(
    "left", ["${env:HOME}", "${system:user.name}", "${hiveconf:x}", "${hivevar:y}", "${}", "${", "${ x }", "${${x}}"]
)
@pytest.mark.parametrize("text", ["SELECT '{}'", "SELECT `{}`", "SELECT 1 /* {} */ + 1", "SELECT 1 -- {}\n + 1"])
def test_no_other_variable_is_sent(left: str, text: str) -> None:
    with pytest.raises(UsageError, match=r"the text (holds .*which a server would substitute|uses .* without)"):
        statements(text.format(left), {}, {}, "the text")


@pytest.mark.parametrize(
    ("text", "kind", "value", "written"),
    [
        ("SELECT '${x}'", "text", "it's", r"SELECT 'it\u0027s'"),
        ('SELECT "${x}"', "text", 'a"\nb', r'SELECT "a\u0022\u000ab"'),
        ("SELECT 'a ${x} b'", "text", "\\", r"SELECT 'a \u005c b'"),
        ("SELECT '${x}'", "date", "2026-02-28", "SELECT '2026-02-28'"),
        ("SELECT DATE '${x}'", "date", "2026-02-28", "SELECT DATE '2026-02-28'"),
        ("SELECT `${x}`", "identifier", "a", "SELECT `a`"),
        ("SELECT ${x}", "integer", "-1", "SELECT  -1"),
        ("SELECT 5 -${x}", "integer", "-1", "SELECT 5 - -1"),
        ("SELECT '${x}'", "integer", "-1", "SELECT '-1'"),
    ],
)
def test_a_value_is_written_for_the_quotes_it_stands_in(text: str, kind: str, value: str, written: str) -> None:
    assert statements(text, {"x": kind}, {"x": value}, "x") == [written]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("SELECT ${x}", "text"), ("SELECT `${x}`", "text"), ("SELECT ${x}", "date"), ("SELECT `${x}`", "date")],
)
def test_a_text_or_a_date_without_quotes_is_refused(text: str, kind: str) -> None:
    """Bare, a date is a subtraction and a text is code."""
    with pytest.raises(UsageError, match=rf"of type {kind}, (without|in back) quotes; write '\$\{{x\}}'"):
        statements(text, {"x": kind}, {"x": "2026-02-28"}, "x")


GOOD = {
    "identifier": ["a", "_", "b20261124T001502Z", "A" * 128],
    "integer": ["0", "-1", "007", "9" * 18],
    "date": ["2026-02-28", "2024-02-29", "0001-01-01"],
    "text": ["", " ", "hdfs://warehouse:8020/a_b-c.d", "ünï", "数", "-- no comment in quotes", "/* nor here */", "{x}"],
}
HOSTILE_BARE = [  # what a value that stands without quotes could add
    "", " ", "1 OR 1=1", "1 -- x", "1/**/", "a.b", "a b", "a-b", "1)", "(1", "a,b", "1e5", "0x1F", "+1", "1.0", "--1",
    "\u0661", "\uff11", "\u00b2", "\u2019", "\uff07", "\u02bc", "\u00e9", "a\u200bb", "a\n", "1\n", "2026-02-28\n",
    "9" * 19, "A" * 129, "2026-02-30", "2026-13-01", "2026-2-3", "2026-02-28 ", "0000-01-01",
    "2026-02-28T00:00", "\u0662026-02-28", "NULL", "TRUE",
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in GOOD.items() for value in values])
def test_a_value_of_its_type_is_taken_as_it_is(kind: str, value: str) -> None:
    assert checked("x", kind, value) == value


HARMLESS = {"identifier": ["null", "NULL", "_", "a_b", "NaN", "Infinity", "TRUE"], "integer": ["-0"]}
HARMLESS["date"] = ["1970-01-01"]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_is_refused_or_stays_text(value: str) -> None:
    """As text it stays inside its quotes (tests/stack/ sends it); bare it is refused, in one plain line."""
    for kind in ("identifier", "integer", "date"):
        if value in HARMLESS[kind]:
            continue
        with pytest.raises(UsageError, match=f"parameter x cannot be .*; it takes a value of type {kind}") as caught:
            checked("x", kind, value)
        assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value) and len(str(caught.value)) < 700
    (sent,) = statements("SELECT '${x}'", {"x": "text"}, {"x": value}, "x")
    tokens = sqlglot.tokenize(sent, read="hive")
    assert len(tokens) == 2 and (tokens[1].start, tokens[1].end) == (7, len(sent) - 1)
    assert ("${" not in sent and sent.isprintable()) or not value.isprintable()


@pytest.mark.parametrize("value", ["\ud800", "a\udc27", "x" * 20_001])
def test_what_is_no_text_or_too_long_is_refused(value: str) -> None:
    for kind in TYPES:
        with pytest.raises(UsageError, match=f"parameter x cannot be .*; it takes a value of type {kind}"):
            checked("x", kind, value)


@pytest.mark.parametrize("value", HOSTILE_BARE)
def test_a_bare_value_adds_nothing_to_the_statement(value: str) -> None:
    kinds = ["identifier", "integer", "date"]
    taken = [kind for kind in kinds if TYPES[kind].fullmatch(value) and _passes(kind, value)]
    assert taken == (["identifier"] if value in ("NULL", "TRUE") else [])


def _passes(kind: str, value: str) -> bool:
    try:
        checked("x", kind, value)
    except UsageError:
        return False
    return True


ODD = st.text(st.one_of(st.sampled_from("'\"`\\;$-/*{}\n\r\t\0 \u2028\u2019ab1"), st.characters()), max_size=60)


@given(value=ODD)
def test_no_text_ends_the_quotes_it_stands_in(value: str) -> None:
    for quote in "'\"":
        if not _passes("text", value):
            return
        text = f"SELECT {quote}${{x}}{quote} AS a; SELECT 2"
        first, second = statements(text, {"x": "text"}, {"x": value}, "x")
        assert second == "SELECT 2"
        (string,) = [token for token in sqlglot.tokenize(first, read="hive") if token.token_type == TokenType.STRING]
        assert first == f"SELECT {first[string.start : string.end + 1]} AS a"
        escaped = re.sub(r"\\u([0-9a-f]{4})", lambda code: chr(int(code[1], 16)), first[string.start + 1 : string.end])
        assert escaped == value


# What a statement may hold: code, strings, comments, back quotes and hints, each with the others' marks inside.
INSIDE = st.text(st.sampled_from("ab1 ;-/*+\n'\"`"), max_size=8)
PIECES = st.one_of(
    st.sampled_from(["SELECT", "1", "a", ",", "(", ")", "+", "-", "*", "/", "FROM", "t", "x.y", "1.5", "'a'", "`b`"]),
    INSIDE.map(lambda text: "'" + text.replace("'", "\\'") + "'"),
    INSIDE.map(lambda text: '"' + text.replace('"', '\\"') + '"'),
    INSIDE.map(lambda text: "`" + text.replace("`", "") + "b`"),
    INSIDE.map(lambda text: "-- " + text.replace("\n", " ") + "\n"),
    INSIDE.map(lambda text: "/* " + text.replace("*/", "").replace("/*", "").rstrip("*/") + " */"),
    INSIDE.map(lambda text: "SELECT /*+ " + re.sub("[^ab1]", "", text) + "(a) */"),
)


def _is_comment(piece: str) -> bool:
    return piece.startswith("-- ") or piece.startswith("/* ")


@settings(max_examples=500)
@given(parts=st.lists(st.lists(PIECES, min_size=1, max_size=8), min_size=1, max_size=5))
def test_statements_are_those_that_were_joined(parts: list[list[str]]) -> None:
    """Whatever stands between the semicolons comes back from the first to the last piece that is no comment, and
    its tokens are those that sqlglot finds in it alone."""
    expected = []
    for pieces in parts:
        code = [number for number, piece in enumerate(pieces) if not _is_comment(piece)]
        if code:
            expected.append(" ".join(pieces[code[0] : code[-1] + 1]))
    statements = split(" ; ".join(" ".join(pieces) for pieces in parts))
    assert statements == expected
    for statement, whole in zip(statements, expected, strict=True):
        tokens = sqlglot.tokenize(statement, read="hive")
        assert [token.text for token in tokens] == [token.text for token in sqlglot.tokenize(whole, read="hive")]
        assert all(token.token_type != TokenType.SEMICOLON for token in tokens)


@given(value=st.one_of(ODD, st.from_regex(r"[A-Za-z0-9_-]{1,20}")), kind=st.sampled_from(["identifier", "integer"]))
def test_a_bare_value_is_one_token(value: str, kind: str) -> None:
    if _passes(kind, value):
        sign = kind == "integer" and value.startswith("-")
        assert len(sqlglot.tokenize(f"SELECT {value}", read="hive")) == (3 if sign else 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (";;  ;\n;", []),
        ("-- only a comment; or two", []),
        ("/* only; a comment */", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;", ["SELECT 1"]),
        (" SELECT 1 ;\n\nSELECT 2 ", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';'; SELECT 2", ["SELECT ';'", "SELECT 2"]),
        ('SELECT ";"; SELECT 2', ['SELECT ";"', "SELECT 2"]),
        ("SELECT `a;b`; SELECT 2", ["SELECT `a;b`", "SELECT 2"]),
        (r"SELECT 'it\'s; it'; SELECT 2", [r"SELECT 'it\'s; it'", "SELECT 2"]),
        (r"SELECT '\\'; SELECT 2", [r"SELECT '\\'", "SELECT 2"]),
        ("SELECT 1 -- a; b\n, 2; SELECT 3", ["SELECT 1 -- a; b\n, 2", "SELECT 3"]),
        ("SELECT /* a; ' b */ 1; SELECT 2", ["SELECT /* a; ' b */ 1", "SELECT 2"]),
        ("SELECT /*+ BROADCAST(a) */ 1", ["SELECT /*+ BROADCAST(a) */ 1"]),
        ("SELECT '-- no comment'; SELECT 2", ["SELECT '-- no comment'", "SELECT 2"]),
        ("SELECT '/*'; SELECT '*/'", ["SELECT '/*'", "SELECT '*/'"]),
        ("SELECT 'a\nb;'\n;SELECT 2", ["SELECT 'a\nb;'", "SELECT 2"]),
        ("SELECT '数;ünï'; SELECT 2", ["SELECT '数;ünï'", "SELECT 2"]),
        ("SELECT 1\r\n;\r\nSELECT 2", ["SELECT 1", "SELECT 2"]),
    ],
)
def test_statements_end_at_a_semicolon_that_is_code(text: str, expected: list[str]) -> None:
    assert split(text) == expected


@pytest.mark.parametrize("text", ["SELECT 'a", 'SELECT "a', "SELECT `a; SELECT 2"])
def test_a_quote_that_is_not_closed_is_told(text: str) -> None:
    with pytest.raises(UsageError, match=r"the SQL cannot be read: .*quote that is not closed"):
        split(text)


def test_every_file_of_the_project_is_read_with_its_columns() -> None:
    values = {"identifier": "b1", "integer": "1", "date": "2026-01-01", "text": "hdfs://here/w"}
    listed = sqlfile.files()
    assert len({file.name for file in listed}) == len(listed) > 20
    for file in listed:
        assert file.statements({name: values[kind] for name, kind in file.parameters.items()})
        assert bool(file.columns) == (file.version > 0 and file.name != "flat.attempts"), file.path
