"""The expectation suites: files in, suites for one release out. Pure: no server is called.

expectations/STAGE/TABLE.json holds rules for the columns of a table in Great Expectations' own JSON; one statement
counts what breaks any of them. Each expectations/STAGE/TABLE/CHECK.sql is a query for the rows that violate a rule
across rows or tables. Both read the candidate views; for a published release the readers' views take their place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl import sqlfile
from etl.errors import UsageError
from etl.settings import PROJECT
from etl.sqlfile import SqlFile
from etl.store.release_files import newest_versions
from etl.validate.scope import Scope

EXPECTATIONS = PROJECT / "expectations"
CRITICAL = "critical"
SEVERITIES = (CRITICAL, "warning", "info")
NULL_RULES = ("expect_column_values_to_not_be_null", "expect_column_values_to_be_null")
QUERY = "unexpected_rows_expectation"  # Great Expectations' type of a check
TITLE = re.compile(r"-- (?P<name>\w+): (?P<title>.+)\.")
VIEWS = ("2_flat", "3_marts", sqlfile.CUSTOMERS)  # stages whose views exist for the candidate and for readers


@dataclass(frozen=True)
class Suite:
    """The suite of a table: `rows` is the query of the rows it is about, `columns` are their names.

    `content` is Great Expectations' JSON: the rules of the file, then a query for each check.
    """

    table: str
    rows: str
    columns: Sequence[str]
    content: dict[str, Any]

    @property
    def expectations(self) -> list[dict[str, Any]]:
        """The rules and checks, in their order."""
        return list(self.content["expectations"])

    @property
    def meta(self) -> dict[str, Any]:
        """The columns that identify a row (`keys`), and those whose texts are never personal (`not_personal`)."""
        return dict(self.content["meta"])


def load(scope: Scope, run_id: str, folder: Path = EXPECTATIONS) -> list[Suite]:
    """The suites of all tables in stage order, for one release. Raises UsageError for a file that cannot be read."""
    files = sqlfile.files("[0-35]_*")
    newest = [file.table for file in newest_versions(files) if file.stage != sqlfile.CUSTOMERS]
    tables = set(newest if scope.tables is None else scope.tables)
    checked = [file for file in files if file.table in tables or file.stage not in VIEWS]
    return [suite(file, checked, scope, run_id, folder) for file in checked if _path(file, folder).exists()]


def suite(file: SqlFile, files: Sequence[SqlFile], scope: Scope, run_id: str, folder: Path = EXPECTATIONS) -> Suite:
    """The suite of a table for one release; critical expectations only where the scope is brief."""
    values = {"since": scope.since, "landing": scope.landing, "release": scope.release, "run_id": run_id}
    texts = {name: str(value) for name, value in values.items()}
    expectations = [
        rule for rule in expectations_of(file, folder, texts) if not scope.is_brief or rule["severity"] == CRITICAL
    ]
    if scope.is_published:
        for rule in expectations:
            if text := rule["kwargs"].get("unexpected_rows_query"):
                rule["kwargs"]["unexpected_rows_query"] = sqlfile.published_text(text)
    columns = _columns(file, files)
    content = {**_content(file, folder), "expectations": expectations}
    return Suite(file.name, _rows(file, columns, scope), columns, content)


def expectations_of(
    file: SqlFile, folder: Path = EXPECTATIONS, values: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """The rules of a table's suite, then its checks, which have their query where the parameters have `values`.

    Empty for a table without a suite. Raises UsageError for a file that cannot be read.
    """
    if not _path(file, folder).exists():
        return []
    return [*_content(file, folder)["expectations"], *(_check(path, values) for path in _checks(file, folder))]


def wording(expectation: Mapping[str, Any]) -> str:
    """A rule in words, with its bounds: `between 0 and 1`, `never NULL in at least 99 % of rows`."""
    kwargs = expectation["kwargs"]
    least, most = kwargs.get("min_value"), kwargs.get("max_value")
    match expectation["type"].removeprefix("expect_column_values_to_"):
        case "not_be_null":
            words = "never NULL"
        case "be_null":
            words = "always NULL"
        case "be_between":
            words = f"at most {most}" if least is None else f"at least {least}" if most is None else ""
            words = words or f"between {least} and {most}"
        case "be_in_set":
            values = [str(value) or "the empty text" for value in kwargs["value_set"]]
            words = f"one of {', '.join(values)}" if len(values) > 1 else f"always {values[0]}"
        case "expect_table_row_count_to_be_between":
            words = f"{least} rows" if least == most else f"{least} to {most} rows"
        case kind:
            words = expectation.get("description") or kind.replace("_", " ")
    mostly = kwargs.get("mostly", 1)
    return words if mostly == 1 else f"{words} in at least {100 * mostly:g} % of rows"


def refuse_incomplete(files: Sequence[SqlFile], folder: Path = EXPECTATIONS) -> None:
    """Raise UsageError for a table without a suite, a column without a null rule, or a suite that cannot be read."""
    for file in files:
        if file.stage.startswith("4") or (file.stage.startswith("0") and not _path(file, folder).exists()):
            continue
        content = _content(file, folder)
        for path in _checks(file, folder):
            _header(path)
        with_rule = {rule["kwargs"]["column"] for rule in content["expectations"] if rule["type"] in NULL_RULES}
        with_rule |= set(content["meta"].get("nullable", ()))
        if missing := [name for name, _ in file.columns if name not in with_rule]:
            raise UsageError(
                f"column {missing[0]} of {file.table} has no null rule in {_place(_path(file, folder))}",
                f"add {NULL_RULES[0]}, or say under meta.nullable where it is NULL",
            )


def _path(file: SqlFile, folder: Path) -> Path:
    return folder / file.stage / f"{file.path.stem}.json"


def _checks(file: SqlFile, folder: Path) -> list[Path]:
    return sorted((folder / file.stage / file.path.stem).glob("*.sql"))


def _place(path: Path) -> str:
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)


def _content(file: SqlFile, folder: Path) -> dict[str, Any]:
    """The suite's file as JSON. Raises UsageError where it is missing or is no suite."""
    path = _path(file, folder)
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for rule in content["expectations"]:
            if not rule["notes"] or rule["severity"] not in SEVERITIES or not isinstance(rule["kwargs"], dict):
                raise KeyError(f"notes and a severity of {rule['type']}")
            if str(rule["type"]).startswith("expect_column_values_"):
                rule["kwargs"]["column"]
        content["name"]
        content["meta"]["keys"]
    except FileNotFoundError as error:
        raise UsageError(f"{file.table} has no suite", f"write {_place(path)}") from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"{_place(path)} is not a suite in JSON: {error}", "correct the file") from error
    except KeyError as error:
        raise UsageError(f"{_place(path)} lacks {error}", "see docs/adding_a_table.md") from error
    return content


def _header(path: Path) -> tuple[SqlFile, str]:
    """A check's file and its title. Raises UsageError for a header that lacks something."""
    file = SqlFile(path, path.read_text(encoding="utf-8"))
    match = TITLE.fullmatch(file.text.partition("\n")[0])
    if match is None or match["name"] != path.stem:
        raise UsageError(f"{_place(path)} does not begin with `-- {path.stem}: what holds.`", "add the title line")
    if file.header.get("Severity") not in SEVERITIES or not file.header.get("Reason"):
        raise UsageError(
            f"{_place(path)} does not say its severity and its reason",
            f"add `-- Severity: {'|'.join(SEVERITIES)}` and `-- Reason: ...`",
        )
    return file, match["title"]


def _check(path: Path, values: Mapping[str, str] | None) -> dict[str, Any]:
    """A check as an expectation in Great Expectations' JSON; without `values` it has no query."""
    file, title = _header(path)
    kwargs: dict[str, str] = {}
    if values is not None:
        (kwargs["unexpected_rows_query"],) = file.statements(values)
    names = [name.strip() for name in file.header.get("Names", "").split(",") if name]
    return {
        "type": QUERY,
        "kwargs": kwargs,
        "severity": file.header["Severity"],
        "description": title,
        "notes": file.header["Reason"],
        "meta": {"names": names, "file": _place(path)},
    }


def _columns(file: SqlFile, files: Sequence[SqlFile]) -> list[str]:
    """The columns of a table; a view has those of what it reads first."""
    if columns := [name for name, _ in file.columns]:
        return columns
    sources = {other.name: other for other in files}
    return _columns(sources[file.reads[0]], files) if file.reads and file.reads[0] in sources else []


def _rows(file: SqlFile, columns: Sequence[str], scope: Scope) -> str:
    """The query of the rows of a table that the scope covers; `last_landing` is the partition that it prunes by."""
    is_view = file.stage in VIEWS
    name = f"candidate.{file.name.partition('.')[2]}" if is_view and not scope.is_published else file.name
    conditions = [] if is_view or "landing" not in columns else [f"landing <= {scope.landing}"]
    if scope.since:
        conditions += [f"{column} > {scope.since}" for column in ("landing", "last_landing") if column in columns]
    return f"SELECT * FROM {name}" + (f" WHERE {' AND '.join(conditions)}" if conditions else "")  # noqa: S608
