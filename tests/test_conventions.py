"""The written rules of sql/ and expectations/, held up by a machine: headers, comments, stages, style, suites."""

from __future__ import annotations

import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from etl.settings import PROJECT
from etl.sqlfile import KEY, TYPES, VARIABLE, SqlFile, files, split
from etl.validate import failing_rows as failing
from etl.validate.validate import PARAMETERS, suites

FILES = files()
POINTER = "ops.published"  # the one view without a table: what all views of flat and marts look at
TABLES = [file for file in FILES if file.stage != "4_reports" and file.name != POINTER]
REPORTS = [file for file in FILES if file.stage == "4_reports"]
# The tables of ops are what validations and builds write down: a suite over them would judge its own notes. Of these
# the list of files is held against what builds wrote.
WITH_SUITE = [file for file in TABLES if file.stage != "0_ops" or file.name == "ops.stored_files"]
KEYS = ["Reads", "Writes", "Grain", "Parameters", "Usage"]
REPORT_KEYS = ["Position", "Reads", "Grain", "Parameters", "Answer", "Assumes", "Chart", "Usage"]
CHART = re.compile(r"none|(bar|column|line|heatmap) x=(\w+) y=(\w+)( (?:color|mean)=(\w+))?")
LONGEST, MEDIAN = 250, 60  # the longest are the wide tables, whose columns are listed for each INSERT and the view


def label(value: object) -> str:
    """The file's path below sql/ as the id of a test."""
    return f"{value.stage}/{value.path.name}" if isinstance(value, SqlFile) else str(value)


every_file = pytest.mark.parametrize("file", FILES, ids=label)
every_table = pytest.mark.parametrize("file", TABLES, ids=label)
every_report = pytest.mark.parametrize("file", REPORTS, ids=label)
every_suite = pytest.mark.parametrize("file", WITH_SUITE, ids=label)


def trees(file: SqlFile) -> list[exp.Expr]:
    """The statements of a file, parsed, with a word for each parameter."""
    return [sqlglot.parse_one(text, read="hive") for text in split(VARIABLE.sub("1", file.text))]


def created(file: SqlFile, kind: str) -> exp.Create:
    """The one CREATE of a kind in a file."""
    (found,) = [tree for tree in trees(file) if isinstance(tree, exp.Create) and tree.kind == kind]
    return found


def read_tables(tree: exp.Expr) -> set[str]:
    """`database.table` of everything a statement reads."""
    return {f"{table.db}.{table.name}" for table in tree.find_all(exp.Table) if table.db}


def suite_of(file: SqlFile) -> dict[str, Any]:
    """The expectation suite of a table, as it stands in its file."""
    path = PROJECT / "expectations" / file.stage / f"{file.path.stem}.json"
    suite: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return suite


@every_file
def test_header_has_the_keys_of_its_kind_in_order(file: SqlFile) -> None:
    required = REPORT_KEYS if file in REPORTS else KEYS
    assert [key for key in file.header if key in required] == required
    assert all(file.header.values())


@every_file
def test_title_names_the_database_of_the_stage_and_ends_the_sentence(file: SqlFile) -> None:
    assert file.name.partition(".")[0] == file.stage.partition("_")[2]
    assert file.title.endswith("?" if file in REPORTS else ".")


@every_file
def test_declared_parameters_are_those_used(file: SqlFile) -> None:
    code = "\n".join(line for line in file.text.splitlines() if not line.lstrip().startswith("--"))
    assert set(file.parameters) == set(VARIABLE.findall(code))
    assert set(file.parameters.values()) <= set(TYPES)
    assert "${" not in VARIABLE.sub("", file.text), "only the form ${name} is a parameter"


@every_file
def test_usage_names_the_file_and_each_parameter(file: SqlFile) -> None:
    usage = file.header["Usage"]
    assert f"-f sql/{file.stage}/{file.path.name}" in usage
    given = re.findall(r"--hivevar (\w+)=(\S+)", usage)
    assert {name for name, _ in given} == set(file.parameters)
    assert all(TYPES[file.parameters[name]].fullmatch(value) for name, value in given)


@every_file
def test_comments_hold_nothing_that_beeline_could_trip_over(file: SqlFile) -> None:
    texts = [line.partition("--")[2] for line in file.text.splitlines() if line.lstrip().startswith("--")]
    texts += re.findall(r"COMMENT '([^']*)'", file.text)
    assert not [text for text in texts if "'" in text or ";" in text]


@every_table
def test_file_table_and_view_have_one_name(file: SqlFile) -> None:
    table, view = created(file, "TABLE").this, created(file, "VIEW").this
    table = table.this if isinstance(table, exp.Schema) else table
    assert file.version > 0
    assert f"{table.db}.{table.name}" == file.table == f"{file.name}_v{file.version}"
    assert f"{view.db}.{view.name}" == file.name
    assert file.header["Writes"] == f"{file.table}, {file.name}"
    assert f"LOCATION '${{warehouse_root}}/{file.table.replace('.', '/')}'" in file.text


@every_table
def test_table_and_every_column_have_a_comment(file: SqlFile) -> None:
    create = created(file, "TABLE")
    columns = [column for column in create.find_all(exp.ColumnDef) if not column.find_ancestor(exp.DataType)]
    bare = [column.name for column in columns if not column.find(exp.CommentColumnConstraint)]
    assert columns
    assert not bare
    assert create.find(exp.SchemaCommentProperty)


@every_file
def test_grain_names_columns_of_the_table(file: SqlFile) -> None:
    if file in TABLES:
        columns = {name for name, _ in file.columns}
        assert columns & set(re.findall(r"\w+", file.header["Grain"]))


@every_file
def test_select_star_is_for_the_view(file: SqlFile) -> None:
    """And for a step within a query: what is written is listed."""
    selects = [(tree, select) for tree in trees(file) for select in tree.find_all(exp.Select) if select.is_star]
    stars = [tree for tree, select in selects if not select.find_ancestor(exp.CTE)]
    assert stars in ([], [created(file, "VIEW")] if file in TABLES else [])


@every_file
def test_a_stage_reads_earlier_stages_and_declares_it(file: SqlFile) -> None:
    """Raw by its views, flat by its versions (so that a build reads its own rows), reports by the readers' views.

    The flat tables made from flat.attempts read it.
    """
    own = {file.name, file.table, POINTER} if file in TABLES else set()
    read = {name for tree in trees(file) for name in read_tables(tree)} - own - {file.name}
    stage_of = {name: other.stage for other in TABLES for name in (other.name, other.table)}
    assert read == set(file.reads)
    assert read <= set(stage_of), "a table or view of the project"
    # The account of the landings is what a view of raw may be told by that a row has moved on.
    own_stage = {"1_raw": {"raw.landings"}, "2_flat": {"flat.messages_v1", "flat.attempts_v1"}}.get(file.stage, set())
    assert all(stage_of[name] < file.stage for name in read - own_stage)
    versions = {name for name in read if re.search(r"_v[0-9]+$", name)}
    assert versions == {name for name in read if file.stage in ("2_flat", "3_marts") and name.startswith("flat.")}


def test_tables_and_views_are_made_once() -> None:
    names = [name for file in FILES for name in {file.name, file.table}]
    assert len(names) == len(set(names))


def test_messages_are_read_from_raw_in_one_place_and_duplicates_left_out_in_one() -> None:
    flat = [file for file in FILES if file.stage == "2_flat"]
    assert [file.name for file in flat if any(name.startswith("raw.") for name in file.reads)] == ["flat.messages"]
    assert [file.name for file in flat if "ROW_NUMBER" in file.text] == ["flat.attempts"]


@every_report
def test_report_is_one_select_without_parameters(file: SqlFile) -> None:
    (tree,) = trees(file)
    assert isinstance(tree, exp.Select)
    assert not file.parameters


@every_report
def test_report_answers_and_draws_columns_of_its_result(file: SqlFile) -> None:
    (tree,) = trees(file)
    assert isinstance(tree, exp.Select)
    columns = set(tree.named_selects)
    assert set(re.findall(r"\{(\w+)\}", file.header["Answer"])) <= columns
    chart = CHART.fullmatch(file.header["Chart"])
    assert chart, f"{file.header['Chart']} is no chart"
    assert {name for name in chart.group(2, 3, 5) if name} <= columns


def test_reports_have_their_own_positions() -> None:
    positions = [int(file.header["Position"]) for file in REPORTS]
    assert len(positions) == len(set(positions))


def test_files_are_short() -> None:
    lengths = {label(file): len(file.text.splitlines()) for file in FILES}
    assert statistics.median(lengths.values()) <= MEDIAN
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_sqlfluff_finds_nothing() -> None:
    command = [sys.executable, "-m", "sqlfluff", "lint", "--disable-progress-bar", "sql"]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    excluded = re.search(r"^exclude_rules = (.*)$", (PROJECT / ".sqlfluff").read_text(), re.MULTILINE)
    assert excluded and len(excluded[1].split(",")) == 1, "one rule at most, with its reason above it"


def test_every_suite_belongs_to_a_table() -> None:
    suites = {
        path.relative_to(PROJECT / "expectations").with_suffix("") for path in (PROJECT / "expectations").glob("*/*")
    }
    assert suites == {Path(file.stage, file.path.stem) for file in WITH_SUITE}


@every_suite
def test_suite_has_the_name_of_its_table(file: SqlFile) -> None:
    assert suite_of(file)["name"] == file.table


@every_suite
def test_every_expectation_has_a_reason_and_a_severity(file: SqlFile) -> None:
    for expectation in suite_of(file)["expectations"]:
        assert expectation["notes"].strip().endswith("."), expectation
        assert expectation["severity"] in ("critical", "warning", "info"), expectation
        query = expectation["kwargs"].get("unexpected_rows_query")
        assert query is None or expectation["description"].strip(), "a query says in words what is expected"


@every_suite
def test_every_column_has_a_stated_null_rule(file: SqlFile) -> None:
    stated: set[str] = set()
    for expectation in suite_of(file)["expectations"]:
        if expectation["type"] == "expect_column_values_to_not_be_null":
            stated.add(expectation["kwargs"]["column"])
        stated |= set(expectation.get("meta", {}).get("null_rule", ()))
    assert stated == {name for name, _ in file.columns}


@every_suite
def test_expectations_that_join_name_the_batch(file: SqlFile) -> None:
    """Great Expectations names `{batch}` itself, but not where the query joins: Hive wants a name."""
    for expectation in suite_of(file)["expectations"]:
        query = expectation["kwargs"].get("unexpected_rows_query", "{batch}")
        names = [bool(re.match(r" AS \w+", rest)) for rest in query.split("{batch}")[1:]]
        assert set(names) == {bool(re.search(r"\bJOIN\b", query))}, query


@every_suite
def test_expectations_read_what_is_validated(file: SqlFile) -> None:
    """Not the views of flat and marts: readers see these, and not yet the build that is looked at."""
    known = {name for other in TABLES for name in (other.name, other.table)}
    views = {other.name for other in TABLES if other.stage in ("2_flat", "3_marts")}
    for expectation in suite_of(file)["expectations"]:
        if query := expectation["kwargs"].get("unexpected_rows_query"):
            assert set(VARIABLE.findall(query)) <= set(PARAMETERS)
            tree = sqlglot.parse_one(VARIABLE.sub("1", query).format(batch=file.table), read="hive")
            assert read_tables(tree) <= known - views, query


@every_suite
def test_suite_says_what_finds_a_row_and_which_texts_are_not_personal(file: SqlFile) -> None:
    suite = suite_of(file)
    columns = {name for name, _ in file.columns}
    queries = " ".join(one["kwargs"].get("unexpected_rows_query", "") for one in suite["expectations"])
    assert suite["meta"]["keys"]
    assert set(suite["meta"]["keys"]) <= columns
    assert set(suite["meta"]["not_personal"]) - columns <= set(re.findall(r"\bAS (\w+)", queries))
    for expectation in suite["expectations"]:
        assert set(expectation.get("meta", {}).get("names", ())) <= set(suite["meta"]["not_personal"])


@pytest.mark.parametrize("dialect", ["hive", "spark"])
def test_every_expectation_about_rows_has_sql_that_finds_them(dialect: str) -> None:
    for table, suite in suites({"build_id": "b1", "landing": "1"}):
        for expectation in suite["expectations"]:
            if expectation["type"] != "expect_table_row_count_to_be_between":
                sql = failing.statement(table, "b1", suite, expectation)
                assert sql, f"etl/validate/failing_rows.py has no condition for {expectation['type']}"
                assert table in read_tables(sqlglot.parse_one(sql, read=dialect))


@pytest.fixture(scope="module")
def great_expectations() -> Any:
    """Great Expectations, which reports nothing to anybody."""
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx

        import etl.validate.expectation  # noqa: F401  # to import it is to make it known

        gx.get_context(mode="ephemeral")
    return gx


@every_suite
def test_great_expectations_takes_the_suite_as_it_is(file: SqlFile, great_expectations: Any) -> None:
    declared = suite_of(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = great_expectations.ExpectationSuite(**declared)
    assert len(loaded.expectations) == len(declared["expectations"])
    for expectation, wanted in zip(loaded.expectations, declared["expectations"], strict=True):
        config = expectation.configuration
        assert config.type == wanted["type"]
        assert wanted["kwargs"].keys() <= config.kwargs.keys(), "an argument that it does not know"
        assert config.severity.value == wanted["severity"]


@every_file
def test_header_keys_are_single_words(file: SqlFile) -> None:
    """A key of two words would be read as a part of the line above."""
    header = itertools.takewhile(lambda line: line.startswith("--"), file.text.splitlines()[1:])
    assert not [line for line in header if re.match(r"-- [A-Z][\w ]*: ", line) and not KEY.match(line)]
