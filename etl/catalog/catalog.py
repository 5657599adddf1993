"""What is known of every table and every question: from its SQL file, its suite, and the servers where they answer.

Where none answers, the SQL files still say most of it; the catalog then says that nobody was asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlglot
from sqlglot import exp

from etl import sqlfile
from etl.catalog import table_facts as asked
from etl.catalog.column_sources import ELEMENT
from etl.catalog.lineage import Lineage
from etl.catalog.table_facts import Answers, Built, Counted, Stored
from etl.errors import UsageError, WarehouseError
from etl.settings import PROJECT, Settings
from etl.sqlfile import SqlFile
from etl.store.ledger import Event
from etl.validate.run_suite import CAUSE

REPORTS = "4_reports"


@dataclass(frozen=True)
class Column:
    """A column, or a field in one: `path` leads to it, [] stands for the elements of an array."""

    path: str
    kind: str = ""
    comment: str = ""
    is_partition: bool = False

    @property
    def place(self) -> str:
        """The path as traces name it, without what marks elements."""
        return self.path.replace(ELEMENT, "")

    @property
    def is_field(self) -> bool:
        """Whether it lies in a column."""
        return "." in self.path


@dataclass(frozen=True)
class Expected:
    """One expectation of a suite; `is_met` is None before a validation has looked."""

    columns: tuple[str, ...]
    what: str
    severity: str
    is_met: bool | None = None
    observed: str = ""


@dataclass(frozen=True)
class Table:
    """One SQL file: a table with its view, or a question. None stands for what the servers do not say."""

    file: SqlFile
    columns: Sequence[Column]
    comment: str
    suite: str
    expected: Sequence[Expected]
    counted: Counted = field(default_factory=Counted)
    is_there: bool | None = None
    sizes: Sequence[int] | None = None
    built: Built | None = None

    @property
    def is_question(self) -> bool:
        """Whether it is a question of the report, which is no table."""
        return self.file.stage == REPORTS

    def expected_of(self, column: str) -> list[Expected]:
        """The expectations about a column."""
        return [one for one in self.expected if column in one.columns]


@dataclass(frozen=True)
class Catalog:
    """All of it. `notes` say what could not be asked; `strangers` are tables that no SQL file makes."""

    tables: Sequence[Table]
    lineage: Lineage
    engine: str
    published: Event | None = None
    validated_at: str = ""
    strangers: Sequence[str] = ()
    notes: Sequence[str] = ()


def catalog(settings: Settings, files: Sequence[SqlFile] | None = None, ask: bool = True) -> Catalog:
    """Gather it; without `ask` no server is asked. Raises UsageError where there is no SQL file."""
    files = sqlfile.files() if files is None else files
    if not files:
        raise UsageError(f"there is no SQL file in {sqlfile.SQL}, so there is nothing to describe", "put one there")
    on_hdfs, said, notes = Stored(), Answers(), []
    tables = [file for file in files if file.stage != REPORTS]
    try:
        on_hdfs = asked.stored(settings, tables) if ask else on_hdfs
    except WarehouseError as error:
        notes.append(str(error))
    try:
        said = asked.answers(settings, tables, on_hdfs.published) if ask else said
    except WarehouseError as error:
        notes.append(str(error))
    lineage = Lineage(files)
    made = {name for file in files for name in (file.name, file.table)}
    return Catalog(
        tables=[_table(file, lineage, on_hdfs, said) for file in files],
        lineage=lineage,
        engine=settings.engine,
        published=on_hdfs.published,
        validated_at=max((row["validated_at"] for row in said.results), default=""),
        strangers=sorted((said.names or frozenset()) - made),
        notes=notes if ask else ["no server was asked"],
    )


def _table(file: SqlFile, lineage: Lineage, on_hdfs: Stored, said: Answers) -> Table:
    columns, comment = described(file)
    place = f"expectations/{file.stage}/{file.path.stem}.json"
    suite = place if (PROJECT / place).exists() else ""
    return Table(
        file=file,
        columns=columns or [Column(name) for name in lineage.traces[file.table]],
        comment=comment,
        suite=suite,
        expected=_checked(file, said.results) or (_declared(suite) if suite else []),
        counted=said.counted.get(file.table, Counted()),
        is_there=None if said.names is None else file.name in said.names,
        sizes=on_hdfs.sizes.get(file.table),
        built=on_hdfs.built.get(file.table),
    )


def _checked(file: SqlFile, results: Sequence[Mapping[str, Any]]) -> list[Expected]:
    """The expectations of a table as the newest validation found them."""
    return [
        Expected(
            tuple(re.split(r",\s*", row["column_name"] or "")),
            row["expectation"],
            row["severity"],
            row["is_met"],
            row["observed"].partition(CAUSE)[0],
        )
        for row in results
        if row["table_name"] in (file.name, file.table)
    ]


def _declared(suite: str) -> list[Expected]:
    """The expectations as the suite's file has them."""
    try:
        found = json.loads((PROJECT / suite).read_text(encoding="utf-8"))["expectations"]
    except ValueError as error:
        raise UsageError(f"{suite} is not JSON: {error}", "mend the file") from error
    return [
        Expected(
            tuple(one["kwargs"].get("column_list") or [one["kwargs"].get("column", "")]),
            one.get("description") or one["type"],
            one["severity"],
        )
        for one in found
    ]


def described(file: SqlFile) -> tuple[list[Column], str]:
    """The columns of the CREATE TABLE, each followed by the fields in it, and the table's comment."""
    for tree in (sqlglot.parse_one(text, read="hive") for text in sqlfile.split(file.text)):
        if isinstance(tree, exp.Create) and tree.kind == "TABLE":
            comment = tree.find(exp.SchemaCommentProperty)
            columns = [one for one in tree.find_all(exp.ColumnDef) if not one.find_ancestor(exp.DataType)]
            return [part for one in columns for part in _parts(one)], comment.this.name if comment else ""
    return [], ""


def _parts(column: exp.ColumnDef) -> Iterator[Column]:
    comment = column.find(exp.CommentColumnConstraint)
    (path, kind), *fields = _fields(column.args["kind"], column.name)
    is_partition = column.find_ancestor(exp.PartitionedByProperty) is not None
    yield Column(path, kind, comment.this.name if comment else "", is_partition)
    yield from (Column(path, kind) for path, kind in fields)


def _fields(kind: exp.DataType, path: str) -> Iterator[tuple[str, str]]:
    """(path, type) of a type and of all fields in it; an array and what is in it are one."""
    words, inner = [], path
    while kind.is_type("array", "map"):
        words.append(kind.this.value)
        inner += ELEMENT
        kind = kind.expressions[-1]
    is_struct = kind.is_type("struct")
    yield path, " of ".join([*words, "STRUCT" if is_struct else kind.sql("hive")])
    for one in kind.expressions if is_struct else ():
        yield from _fields(one.args["kind"], f"{inner}.{one.name}")
