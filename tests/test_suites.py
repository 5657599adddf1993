"""The expectation suites: complete, readable, few statements, and every rule of them can fail."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlglot

from etl import sqlfile, sqltext
from etl.errors import ServerError, UsageError
from etl.servers.hive import Result, StatementError
from etl.sqlfile import SqlFile
from etl.validate import failing_rows, run_suite, suites
from etl.validate.scope import Scope
from etl.validate.suites import EXPECTATIONS, QUERY, Suite, wording
from etl.validate.validate import compared, folders_of, sentence

FILES = sqlfile.files("[0-3]_*")
ALL = suites.load(Scope(2, 5), "r1")
WITH_RULES = [suite for suite in ALL if any(rule["type"] != QUERY for rule in suite.expectations)]
ROW_COUNT = "expect_table_row_count_to_be_between"
MOST_STATEMENTS = 40  # of all suites together


class Database:
    """SQLite in place of a server: its statements are counted."""

    def __init__(self, suite: Suite, rows: Sequence[Mapping[str, Any]]) -> None:
        self.sent: list[str] = []
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)
        database, _, table = sqlglot.parse_one(suite.rows, read="hive").find(sqlglot.exp.Table).sql().partition(".")
        self._connection.execute(f"ATTACH ':memory:' AS {database}")
        columns = ", ".join(suite.columns)
        self._connection.execute(f"CREATE TABLE {database}.{table} ({columns})")
        places = ", ".join("?" * len(suite.columns))
        values = [[row.get(column) for column in suite.columns] for row in rows]
        self._connection.executemany(f"INSERT INTO {database}.{table} VALUES ({places})", values)

    def query(self, statement: str) -> Result:
        self.sent.append(statement)
        try:
            cursor = self._connection.execute(statement)
        except sqlite3.Error as error:
            raise StatementError(str(error)) from error
        return Result([column[0] for column in cursor.description], cursor.fetchall())


def rules(suite: Suite) -> Suite:
    """The suite without its checks."""
    kept = [rule for rule in suite.expectations if rule["type"] != QUERY]
    return Suite(suite.table, suite.rows, suite.columns, {**suite.content, "expectations": kept})


def value(rule: Mapping[str, Any], is_good: bool) -> Any:
    """A value that meets a rule, or one that does not."""
    kwargs = rule["kwargs"]
    match rule["type"].removeprefix("expect_column_values_to_"):
        case "not_be_null":
            return 1 if is_good else None
        case "be_null":
            return None if is_good else "a text"
        case "be_in_set":
            return kwargs["value_set"][0] if is_good else "another"
        case "be_between":
            least, most = kwargs.get("min_value"), kwargs.get("max_value")
            if isinstance(
                least, str
            ):  # later on the day, since SQLite compares texts and SQLAlchemy writes a time longer
                return "2017-01-01 00:00:00" if is_good else "1999-12-31 23:59:59"
            if is_good:
                return most if least is None else least
            return most + 1 if most is not None else least - 1
    raise AssertionError(f"write a good and a bad value for {rule['type']}")


def good_row(suite: Suite) -> dict[str, Any]:
    """A row that meets all rules."""
    row: dict[str, Any] = {}
    for rule in sorted(suite.expectations, key=lambda rule: "not_be_null" not in rule["type"]):
        if column := rule["kwargs"].get("column"):
            row[column] = value(rule, is_good=True)
    return row | {name: 1 for name in ("landing", "last_landing") if name in suite.columns}


@pytest.fixture(scope="module")
def context() -> Any:
    return run_suite.load()


@pytest.mark.parametrize("suite", WITH_RULES, ids=lambda suite: suite.table)
def test_great_expectations_counts_all_rules_of_a_table_in_one_statement(suite: Suite, context: Any) -> None:
    suite = rules(suite)
    database = Database(suite, [good_row(suite)] * 4)
    outcome = run_suite.run(context, suite, database.query, "r1", lambda: 4)
    assert [row["expectation"] for row in outcome.rows if not row["is_met"]] == [
        wording(rule) for rule in suite.expectations if rule["type"] == ROW_COUNT
    ]
    assert len(database.sent) == 1


def test_the_rows_of_all_tables_are_counted_in_one_statement() -> None:
    sent: list[str] = []

    def query(statement: str) -> Result:
        sent.append(statement)
        return Result(["name", "row_count"], [(suite.table, 7) for suite in WITH_RULES])

    assert run_suite.row_counts(query, ALL) == {suite.table: 7 for suite in WITH_RULES}
    assert len(sent) == 1


@pytest.mark.parametrize("suite", WITH_RULES, ids=lambda suite: suite.table)
def test_every_rule_fails_on_bad_rows_alone(suite: Suite, context: Any) -> None:
    suite = rules(suite)
    good = good_row(suite)
    for rule in suite.expectations:
        if rule["type"] == ROW_COUNT:
            continue
        bad = {**good, rule["kwargs"]["column"]: value(rule, is_good=False)}
        database = Database(suite, [good, bad, bad, bad])
        failing = {
            wording(other): len(database.query(sql).rows)
            for other in suite.expectations
            if other["kwargs"].get("column") == rule["kwargs"]["column"]
            and (sql := failing_rows.statement(suite, other))
        }
        assert failing[wording(rule)] == 3, rule
    columns = {rule["kwargs"].get("column") for rule in suite.expectations} - {None}
    for column in sorted(columns):
        last = [rule for rule in suite.expectations if rule["kwargs"].get("column") == column][-1]
        good[column] = value(last, is_good=False)
    database = Database(suite, [good] * 3)
    outcome = run_suite.run(context, suite, database.query, "r1")
    by_column = {row["column_name"]: row for row in outcome.rows}
    assert {column: by_column[column]["observed"] for column in columns} == dict.fromkeys(columns, "3 of 3 rows fail")


def test_all_suites_together_send_few_statements() -> None:
    checks = sum(rule["type"] == QUERY for suite in ALL for rule in suite.expectations)
    assert 1 + len(WITH_RULES) + checks <= MOST_STATEMENTS


def test_a_brief_validation_runs_critical_expectations_only() -> None:
    brief = suites.load(Scope(2, 5, is_brief=True), "r1")
    assert {rule["severity"] for suite in brief for rule in suite.expectations} == {"critical"}
    assert len(brief) == len(ALL)


def test_a_build_reads_the_candidate_and_what_is_new() -> None:
    rows = {suite.table: suite.rows for suite in suites.load(Scope(2, 5, since=3), "r1")}
    assert rows["flat.messages"] == "SELECT * FROM candidate.messages WHERE landing > 3 AND last_landing > 3"
    assert rows["raw.landings"] == "SELECT * FROM raw.landings WHERE landing <= 5 AND landing > 3 AND last_landing > 3"
    assert rows["marts.exams"] == "SELECT * FROM candidate.exams"


def test_validate_reads_all_that_readers_see() -> None:
    published = suites.load(Scope(2, 5, is_published=True), "r1")
    assert {suite.table: suite.rows for suite in published}["flat.attempts"] == "SELECT * FROM flat.attempts"
    texts = [suite.rows for suite in published] + [
        rule["kwargs"].get("unexpected_rows_query", "") for suite in published for rule in suite.expectations
    ]
    assert not [text for text in texts if "candidate" in text]


def test_a_validation_reads_what_it_recorded_itself() -> None:
    """Not the newest: another validation may run at the same time."""
    for suite in ALL:
        for rule in suite.expectations:
            sql = rule["kwargs"].get("unexpected_rows_query", "")
            assert "MAX(run_id)" not in sql
            assert ("run_id = 'r1'" in sql) == ("ops." in sql), sql


def test_only_the_tables_of_a_release_are_checked() -> None:
    """A table that was retired, or a version that is not built yet, has no view to check."""
    tables = [suite.table for suite in suites.load(Scope(2, 5, tables=["flat.messages_v1"]), "r1")]
    assert [name for name in tables if name.startswith(("flat", "marts"))] == ["flat.messages"]
    assert "raw.landings" in tables


def test_every_suite_and_check_belongs_to_a_table() -> None:
    tables = {(file.stage, file.path.stem) for file in sqlfile.files("[0-35]_*")}
    stems = {(path.parent.name, path.stem) for path in EXPECTATIONS.glob("*/*")}
    assert stems <= tables
    for path in EXPECTATIONS.glob("*/*/*"):
        assert path.suffix == ".sql", path
        assert path.parent.with_suffix(".json").exists(), path


@pytest.mark.parametrize("path", sorted(EXPECTATIONS.glob("*/*/*.sql")), ids=lambda path: str(path.stem))
def test_a_check_has_a_whole_header(path: Path) -> None:
    file = SqlFile(path, path.read_text())
    keys = ["Severity", "Reason", "Reads", "Parameters", "Names", "Usage"]
    assert list(file.header) == [key for key in keys if key != "Names" or "Names" in file.header]
    assert file.header["Reason"].endswith(".")
    place = path.relative_to(EXPECTATIONS.parent)
    values = "".join(f" --hivevar {name}=" for name in file.parameters)
    assert file.header["Usage"].startswith(f"./warehouse beeline -f {place}{values[:11]}")
    assert all(f"--hivevar {name}=" in file.header["Usage"] for name in file.parameters)
    (statement,) = sqltext.split(file.text)
    tree = sqlglot.parse_one(sqltext.VARIABLE.sub("1", statement), read="hive")
    named = {f"{table.db}.{table.name}" for table in tree.find_all(sqlglot.exp.Table) if table.db}
    assert named == set(file.reads)
    for name in file.header.get("Names", "").split(", "):
        assert not name or name in [column for column in tree.named_selects]


def test_names_shown_in_a_result_are_never_personal() -> None:
    for suite in ALL:
        for rule in suite.expectations:
            assert set(rule.get("meta", {}).get("names", ())) <= set(suite.meta["not_personal"])


def test_the_suites_are_complete() -> None:
    suites.refuse_incomplete(FILES)


def copied(tmp_path: Path, stage: str, stem: str) -> Path:
    """A copy of a suite, in a folder of its own."""
    path = tmp_path / stage / f"{stem}.json"
    path.parent.mkdir(parents=True)
    path.write_text((EXPECTATIONS / stage / f"{stem}.json").read_text())
    return path


EXAMS = next(file for file in FILES if file.name == "marts.exams")


def test_a_table_without_a_suite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"marts\.exams_v1 has no suite; write .*3_marts/exams_v1\.json"):
        suites.refuse_incomplete([EXAMS], tmp_path)


def test_a_column_without_a_null_rule_is_refused(tmp_path: Path) -> None:
    path = copied(tmp_path, "3_marts", "exams_v1")
    suites.refuse_incomplete([EXAMS], tmp_path)
    declared = json.loads(path.read_text())
    del declared["meta"]["nullable"]["score_sum"]
    path.write_text(json.dumps(declared))
    with pytest.raises(UsageError, match=r"column score_sum of marts\.exams_v1 has no null rule"):
        suites.refuse_incomplete([EXAMS], tmp_path)


WITHOUT_COLUMN = {"type": "expect_column_values_to_not_be_null", "kwargs": {}, "severity": "info", "notes": "R."}
WITHOUT_NAME = {"meta": {"keys": []}, "expectations": []}


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", "{}", '{"meta": {}, "expectations": []}', "null", json.dumps(WITHOUT_NAME)),
        json.dumps({"name": "n", "meta": {"keys": []}, "expectations": [WITHOUT_COLUMN]}),
    ],
)
def test_a_file_that_is_no_suite_is_refused_by_name(tmp_path: Path, text: str) -> None:
    copied(tmp_path, "3_marts", "exams_v1").write_text(text)
    with pytest.raises(UsageError, match=r"exams_v1\.json"):
        suites.refuse_incomplete([EXAMS], tmp_path)


@pytest.mark.parametrize(
    "text",
    ["SELECT 1", "-- other: holds.\n-- Severity: critical\n-- Reason: R.\nSELECT 1", "-- mine: holds.\nSELECT 1"],
)
def test_a_check_without_a_header_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = copied(tmp_path, "3_marts", "exams_v1").with_suffix("") / "mine.sql"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(UsageError, match=r"mine\.sql"):
        suites.refuse_incomplete([EXAMS], tmp_path)


THINGS = {
    "name": "flat.things_v1",
    "meta": {"keys": ["id"]},
    "expectations": [
        {
            "type": "expect_column_values_to_not_be_null",
            "kwargs": {"column": "name"},
            "severity": "warning",
            "notes": "N.",
        },
        {
            "type": QUERY,
            "kwargs": {"unexpected_rows_query": "SELECT id FROM flat.things WHERE id > 1"},
            "severity": "critical",
            "description": "counts are present and add up",
            "notes": "N.",
        },
    ],
}


def things(rows: int) -> tuple[Suite, Database]:
    suite = Suite("flat.things", "SELECT * FROM flat.things", ["id", "name"], THINGS)
    return suite, Database(suite, [{"id": number, "name": None} for number in range(rows)])


def test_a_failed_expectation_is_not_printed_as_its_opposite(context: Any) -> None:
    suite, database = things(3)
    outcome = run_suite.run(context, suite, database.query, "r1")
    assert [sentence(row) for row in outcome.rows] == [
        "flat.things name: 3 of 3 rows fail: never NULL",
        "flat.things: 1 row fails: counts are present and add up",
    ]


def test_a_lost_server_is_no_failed_expectation(context: Any) -> None:
    suite, _ = things(0)

    def gone(_: str) -> Result:
        raise ServerError("spark went away")

    with pytest.raises(ServerError, match="went away"):
        run_suite.run(context, suite, gone, "r1")


def test_a_table_that_cannot_be_read_is_tried_once(context: Any) -> None:
    suite, database = things(1)
    database.query("DROP TABLE flat.things") if False else database._connection.execute("DROP TABLE flat.things")
    outcome = run_suite.run(context, suite, database.query, "r1")
    assert [row["is_met"] for row in outcome.rows] == [False, False]
    assert all(row["observed"].startswith("could not be checked; the server answered: ") for row in outcome.rows)
    assert len(database.sent) == 2


@pytest.mark.parametrize(
    ("expectation", "words"),
    [
        ({"type": "expect_column_values_to_be_between", "kwargs": {"min_value": 0, "max_value": 1}}, "between 0 and 1"),
        ({"type": "expect_column_values_to_be_between", "kwargs": {"min_value": 1}}, "at least 1"),
        ({"type": "expect_column_values_to_be_between", "kwargs": {"max_value": 0}}, "at most 0"),
        ({"type": "expect_column_values_to_be_in_set", "kwargs": {"value_set": ["a", ""]}}, "one of a, the empty text"),
        ({"type": "expect_column_values_to_be_in_set", "kwargs": {"value_set": [""]}}, "always the empty text"),
        (
            {"type": "expect_column_values_to_not_be_null", "kwargs": {"mostly": 0.99}},
            "never NULL in at least 99 % of rows",
        ),
        (
            {"type": "expect_column_values_to_be_in_set", "kwargs": {"value_set": ["5%", "6"], "mostly": 0.995}},
            "one of 5%, 6 in at least 99.5 % of rows",
        ),
        ({"type": ROW_COUNT, "kwargs": {"min_value": 0, "max_value": 0}}, "0 rows"),
    ],
)
def test_a_rule_shows_its_bounds(expectation: dict[str, Any], words: str) -> None:
    assert wording(expectation) == words


def test_a_file_is_compared_as_recorded_and_as_stored() -> None:
    recorded = [
        {"path": "flat/a", "bytes": 1, "file_checksum": "c"},
        {"path": "flat/b", "bytes": 1, "file_checksum": "c"},
    ]
    stored = [
        {"path": "flat/a", "bytes": 2, "file_checksum": "d"},
        {"path": "flat/c", "bytes": 1, "file_checksum": "c"},
    ]
    rows = compared("r1", recorded, stored)
    assert [tuple(row.values())[1:] for row in rows] == [
        ("flat/a", 1, 2, "c", "d"),
        ("flat/b", 1, None, "c", None),
        ("flat/c", None, 1, None, "c"),
    ]


def test_the_record_of_a_landing_is_no_foreign_file() -> None:
    folder = "landings/landing=1/table=landings"
    stored = [{"path": f"{folder}/{name}", "bytes": 1, "file_checksum": "c"} for name in ("landing.json", "b.json")]
    assert [row["path"] for row in compared("r1", [], stored)] == [f"{folder}/b.json"]


def test_a_landing_is_listed_whole_and_other_files_by_their_folder() -> None:
    paths = [
        "landings/landing=1/table=assessments/a.gz",
        "landings/compaction=2/last_landing=9/table=assessments/a.gz",
        "flat/messages_v1/compaction=0/last_landing=1/a.parquet",
    ]
    recorded = [{"path": path} for path in paths]
    assert folders_of(Scope(1, 1, recorded=recorded)) == [
        "flat/messages_v1/compaction=0/last_landing=1",
        "landings/compaction=2/last_landing=9",
        "landings/landing=1",
    ]
