"""The written rules, checked: headers, comments, stages, style and suites in SQL, names and wording everywhere."""

from __future__ import annotations

import ast
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
from etl.sqlfile import KEY, SqlFile, candidate_text, files
from etl.sqltext import TYPES, VARIABLE, split
from etl.validate import suites

FILES = files()
POINTERS = {"ops.published", "ops.candidate", "ops.metastore"}  # views without a table, which commands alter
REPORTS = [file for file in FILES if file.stage == "4_reports"]
TABLES = [file for file in FILES if file.columns]
VIEWS = [file for file in FILES if file not in REPORTS and file.name not in POINTERS]
# The tables of ops are what validations and builds write down: a suite over them would judge its own notes. Of these
# the list of files is compared with what builds recorded.
WITH_SUITE = [file for file in VIEWS if file.stage != "0_ops" or file.name == "ops.stored_files"]
CHECKS = [SqlFile(path, path.read_text()) for path in sorted((PROJECT / "expectations").glob("*/*/*.sql"))]
KEYS = ["Reads", "Writes", "Grain", "Parameters", "Usage"]
REPORT_KEYS = ["Position", "Reads", "Grain", "Parameters", "Answer", "Assumes", "Chart", "Usage"]
CHART = re.compile(r"none|(bar|column|line|heatmap) x=(\w+) y=(\w+)( (?:color|mean)=(\w+))?")
LONGEST, MEDIAN = 130, 60
LONGEST_MODULE = 250
# A participle or a pronoun says when, not what.
VAGUE = {"asked", "found", "known", "made", "one", "said", "shown", "told", "what"}
# Wording that is no idiomatic technical English, and what to write instead. Checked in what people read.
WORDING = {
    r"to be asked": "query",
    r"(is|are|was|were|only) told|tells of": "report, name, show",
    r"tells? (whether|which|what)": "show, find",
    r"keeps its word": "guarantees",
    r"(is|are) not so": "fails",
    r"(gone|goes|go|going) on\b": "continue, is reused",
    r"look(s|ed)? at": "check, see, read",
    r"mend(s|ed)?": "fix, correct",
    r"for ever": "forever",
    r"anew": "again, recreate",
    r"at work": "running",
    r"whoever|somebody else's": "name the user or the process",
    r"(held|holds?|holding) [^.`]{0,40}\bagainst": "compare with",
    r"heed(s|ed)?": "honor",
    r"(is|are|gets?) well": "healthy",
    r"judge[sd]?": "validate, check",
    r"put in for": "substituted for",
    r"asked (for|at|in|on|to)": "required, queried",
    r"ask \./warehouse": "run ./warehouse",
    r"wants? (a|an|it|one)": "requires",
    r"one behind (the other|another)": "one after another",
    r"obey(s|ed)?": "interpret",
    r"believe[sd]?": "trust",
    r"choosy": "constrained",
    r"so many (?!that)": "this many, the count",
    r"known so far": "seen so far",
    r"lies? where": "say where it is",
    r"(no|where no) ?(body|reader) looks": "that nobody reads",
    r"make room": "free some space",
    r"stands? in for": "replace",
}
READ = [
    "README.md",
    "docs/*.md",
    "etl/**/*.py",
    "etl/pages/*.html",
    "stack/*.py",
    "superset/*.py",
    "sample/*.py",
    "sql/*/*.sql",
]
READ += ["expectations/*/*.json", "expectations/*/*/*.sql", "benchmarks/**/*.py", "docker-compose.yml", "warehouse"]
TEXTS = sorted(path for pattern in READ for path in PROJECT.glob(pattern))
MODULES = [path for path in [*TEXTS, *sorted(PROJECT.glob("tests/**/*.py"))] if path.suffix == ".py"]


def label(value: object) -> str:
    """The file's path below sql/ as the id of a test."""
    return f"{value.stage}/{value.path.name}" if isinstance(value, SqlFile) else str(value)


every_file = pytest.mark.parametrize("file", FILES, ids=label)
every_table = pytest.mark.parametrize("file", TABLES, ids=label)
every_report = pytest.mark.parametrize("file", REPORTS, ids=label)
every_view = pytest.mark.parametrize("file", VIEWS, ids=label)
every_check = pytest.mark.parametrize("check", CHECKS, ids=lambda file: f"{file.path.parent.name}/{file.path.name}")
every_suite = pytest.mark.parametrize("file", WITH_SUITE, ids=label)


def trees(file: SqlFile) -> list[exp.Expr]:
    """The statements of a file, parsed, with a word for each parameter."""
    return [sqlglot.parse_one(text, read="hive") for text in split(VARIABLE.sub("1", file.text))]


def created(file: SqlFile, kind: str) -> exp.Create:
    """The one CREATE of a kind in a file."""
    (match,) = [tree for tree in trees(file) if isinstance(tree, exp.Create) and tree.kind == kind]
    return match


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
    assert file.database == file.stage.partition("_")[2]
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


@every_view
def test_file_and_view_have_one_name(file: SqlFile) -> None:
    """A table of messages has the view of attempts: flat.message_questions_v1 behind flat.attempt_questions."""
    view = created(file, "VIEW").this
    view = view.this if isinstance(view, exp.Schema) else view
    assert file.version > 0
    assert f"{view.db}.{view.name}" == file.name
    stem = file.table.rpartition("_v")[0]
    assert stem in (file.name, file.name.replace("attempt_q", "message_q").replace("question_o", "message_o"))


@every_table
def test_file_and_table_have_one_name(file: SqlFile) -> None:
    table = created(file, "TABLE").this.this
    assert f"{table.db}.{table.name}" == file.table
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


def test_every_view_of_flat_and_marts_shows_the_published_release_alone() -> None:
    """By a join of ops.published, or by reading views that do."""
    views: set[str] = set()
    for file in (file for file in FILES if file.stage in ("2_flat", "3_marts")):
        tables = {f"{table.db}.{table.name}" for table in created(file, "VIEW").find_all(exp.Table)} - {file.name}
        assert tables <= {"ops.published", file.table, *views}
        assert "ops.published" in tables or file.table not in tables
        views.add(file.name)
    assert len(views) > 5


@every_file
def test_grain_names_columns_of_the_table(file: SqlFile) -> None:
    if file in TABLES:
        columns = {name for name, _ in file.columns}
        assert columns & set(re.findall(r"\w+", file.header["Grain"]))


@every_file
def test_select_star_is_for_views_and_steps_within_a_query(file: SqlFile) -> None:
    """What is written is listed."""
    for tree in trees(file):
        for select in tree.find_all(exp.Select):
            if any(isinstance(column, exp.Star) or column.is_star for column in select.expressions):
                is_view = isinstance(tree, exp.Create) and tree.kind == "VIEW"
                assert is_view or select.find_ancestor(exp.CTE), select.sql()


@every_file
def test_a_column_list_stands_once_in_a_file(file: SqlFile) -> None:
    """Beside the CREATE TABLE, which is the contract, and the one query that fills it."""
    names = [name for name, _ in file.columns][3:6]
    listed = re.findall(r"\s+".join(rf"(?:\w+\.)?{name},?" for name in names), file.text)
    assert len(names) < 3 or len(listed) <= 1


@every_file
def test_a_file_reads_earlier_stages_and_declares_it(file: SqlFile) -> None:
    """The flat stage reads raw tables by their partitions; views and the superseded list read the flat messages."""
    own = {file.name, file.table, *POINTERS} if file not in REPORTS else set()
    read = {name for tree in trees(file) for name in read_tables(tree)} - own - {file.name}
    stage_of = {name: other.stage for other in FILES for name in (other.name, other.table)}
    stage_of |= {candidate_text(other.name): other.stage for other in VIEWS if other.stage[0] in "235"}
    assert read == set(file.reads) - own
    assert read <= set(stage_of), "a table or view of the project"
    same_stage = {
        "1_raw": {"raw.landings"},
        "2_flat": {"flat.messages_v1", "flat.messages", "flat.superseded_messages"},
        "5_customers": {name for name in stage_of if name.startswith("customers.")},
    }
    assert all(stage_of[name] < file.stage for name in read - same_stage.get(file.stage, set()))
    marts = {name for name in read if file.stage == "3_marts"}
    assert all(name.startswith("candidate.") for name in marts), "marts are computed from the release being built"


def test_no_view_holds_a_subquery_in_an_expression() -> None:
    """HiveServer2 compiles such a view in its cost-based optimizer alone."""
    for file in VIEWS:
        if file.stage[0] in "235":
            assert not list(created(file, "VIEW").find_all(exp.Subquery, exp.In, exp.Exists)), file.place


def test_parameters_are_the_root_folders_landings_and_releases() -> None:
    names = {name for file in FILES if file.stage[0] in "1235" for name in file.parameters}
    assert names == {"warehouse_root", "compaction", "compacted", "folder_compaction", "folder_landing", "release"}


def test_tables_and_views_are_made_once() -> None:
    names = [name for file in FILES for name in {file.name, file.table}]
    assert len(names) == len(set(names))


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


def test_modules_are_short() -> None:
    lengths = {in_project(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {
        path: length for path, length in lengths.items() if path.startswith("etl/") and length > LONGEST_MODULE
    } == {}


def test_sqlfluff_finds_nothing() -> None:
    command = [sys.executable, "-m", "sqlfluff", "lint", "--disable-progress-bar", "sql", "expectations"]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    excluded = re.search(r"^exclude_rules = (.*)$", (PROJECT / ".sqlfluff").read_text(), re.MULTILINE)
    assert excluded and len(excluded[1].split(",")) == 1, "one rule at most, with its reason above it"


def test_every_suite_belongs_to_a_table() -> None:
    root = PROJECT / "expectations"
    stems = {path.relative_to(root).with_suffix("") for path in [*root.glob("*/*.json"), *root.glob("*/*")]}
    assert stems == {Path(file.stage, file.path.stem) for file in WITH_SUITE}


def test_every_column_has_a_null_rule_and_every_table_a_suite() -> None:
    suites.refuse_incomplete([file for file in FILES if file.stage[0] in "1235" and file.name not in POINTERS])


@every_suite
def test_every_expectation_has_a_reason_and_a_severity(file: SqlFile) -> None:
    suite = suite_of(file)
    assert suite["name"]
    for expectation in suite["expectations"]:
        assert expectation["notes"].strip().endswith("."), expectation
        assert expectation["severity"] in ("critical", "warning", "info"), expectation


@every_suite
def test_the_keys_of_a_suite_hold_the_grain_of_its_table(file: SqlFile) -> None:
    """A failing row is identified by them."""
    assert set(re.findall(r"\w+", file.header["Grain"])) <= set(suite_of(file)["meta"]["keys"])


@every_check
def test_every_check_has_a_severity_a_reason_and_one_query_that_reads_what_it_declares(check: SqlFile) -> None:
    lines = check.text.splitlines()
    assert re.fullmatch(rf"-- {check.path.stem}: .+\.", lines[0])
    header = SqlFile(check.path, check.text).header
    assert header["Severity"] in ("critical", "warning", "info")
    assert header["Reason"].endswith(".")
    assert (
        f"-f expectations/{check.path.parent.parent.name}/{check.path.parent.name}/{check.path.name}" in header["Usage"]
    )
    (statement,) = split(VARIABLE.sub("1", check.text))
    names = {
        f"{table.db}.{table.name}"
        for table in sqlglot.parse_one(statement, read="hive").find_all(exp.Table)
        if table.db
    }
    assert names == {name.strip() for name in header["Reads"].split(",")}
    assert not [name for name in names if name.startswith(("flat.", "marts.")) and "_v" not in name], (
        "not the readers' views"
    )


@pytest.fixture(scope="module")
def great_expectations() -> Any:
    """Great Expectations, which reports nothing to anybody."""
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx

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


def in_project(path: Path) -> str:
    """The path from the project's folder on, as the id of a test."""
    return str(path.relative_to(PROJECT))


@pytest.mark.parametrize("path", TEXTS, ids=in_project)
def test_wording_is_plain_technical_english(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    pattern = re.compile("|".join(rf"(?P<w{number}>\b(?:{words})\b)" for number, words in enumerate(WORDING)))
    instead = list(WORDING.values())
    odd = [f"{match[0]}: write {instead[int(str(match.lastgroup)[1:])]}" for match in pattern.finditer(text)]
    assert not odd


def names(path: Path) -> set[str]:
    """The names that a module gives: variables, arguments, attributes, functions, classes."""
    given = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.FunctionDef(name=name):
                given.add(name)
            case ast.ClassDef(name=name) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.alias(asname=str(name)):
                given.add(name)
    return given


@pytest.mark.parametrize("path", MODULES, ids=in_project)
def test_names_say_what_a_value_is(path: Path) -> None:
    assert not {name for name in names(path) if name.strip("_").lower() in VAGUE}
