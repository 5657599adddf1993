"""The facts of every table and every question: from its SQL file, its suite, and the servers if they answer.

Without the servers the SQL files still give most of it; the catalog then notes what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp

from etl import sqlfile
from etl.catalog import table_facts
from etl.catalog.column_sources import ELEMENT, Source
from etl.catalog.lineage import Lineage
from etl.catalog.table_facts import Answers, Built, Counted, Stored
from etl.errors import UsageError, WarehouseError
from etl.settings import PROJECT, Settings
from etl.sqlfile import SqlFile
from etl.sqltext import parsed, split
from etl.store.ledger import Event
from etl.validate.run_suite import CAUSE
from etl.validate.suites import expectations_of, wording

REPORTS = "4_reports"


@dataclass(frozen=True)
class Column:
    """A column, or a field in one: `path` leads to it, [] means the elements of an array."""

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
        """Whether it is a field in a column."""
        return "." in self.path


@dataclass(frozen=True)
class Expected:
    """One expectation of a suite in words; `is_met` is None where the newest validation did not check it."""

    column: str
    text: str
    severity: str
    is_met: bool | None = None
    observed: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Table:
    """One SQL file: a table with its view, or a question. None where no server gave a fact."""

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
        return [rule for rule in self.expected if rule.column == column]


@dataclass(frozen=True)
class Catalog:
    """All of it. `notes` say which servers did not answer; `strangers` are tables that no SQL file creates."""

    tables: Sequence[Table]
    lineage: Lineage
    engine: str
    published: Event | None = None
    validated_at: str = ""
    strangers: Sequence[str] = ()
    notes: Sequence[str] = ()


def catalog(settings: Settings, files: Sequence[SqlFile] | None = None, ask: bool = True) -> Catalog:
    """Collect it; without `ask` no server is queried. Raises UsageError where there is no SQL file."""
    files = sqlfile.files() if files is None else files
    if not files:
        raise UsageError(f"there is no SQL file in {sqlfile.SQL}, so there is nothing to describe", "put one there")
    on_hdfs, answers, notes = Stored(), Answers(), []
    tables = [file for file in files if file.stage != REPORTS]
    try:
        on_hdfs = table_facts.stored(settings, tables) if ask else on_hdfs
    except WarehouseError as error:
        notes.append(str(error))
    try:
        answers = table_facts.answers(settings, tables, on_hdfs.published) if ask else answers
    except WarehouseError as error:
        notes.append(str(error))
    lineage = Lineage(files)
    columns = {file.table: described(file)[0] for file in files}
    described_names = {name for file in files for name in (file.name, file.table)}
    return Catalog(
        tables=[_table(file, _columns(file, lineage, columns), on_hdfs, answers) for file in files],
        lineage=lineage,
        engine=settings.engine,
        published=on_hdfs.published,
        validated_at=max((row["validated_at"] for row in answers.results), default=""),
        strangers=sorted((answers.names or frozenset()) - described_names),
        notes=notes if ask else ["no server was queried"],
    )


def _table(file: SqlFile, columns: Sequence[Column], on_hdfs: Stored, answers: Answers) -> Table:
    place = f"expectations/{file.stage}/{file.path.stem}.json"
    return Table(
        file=file,
        columns=columns,
        comment=described(file)[1],
        suite=place if (PROJECT / place).exists() else "",
        expected=_expected(file, answers.results),
        counted=answers.counted.get(file.table, Counted()),
        is_there=None if answers.names is None else file.name in answers.names,
        sizes=on_hdfs.sizes.get(file.table),
        built=on_hdfs.built.get(file.table),
    )


def _columns(file: SqlFile, lineage: Lineage, columns: Mapping[str, Sequence[Column]]) -> Sequence[Column]:
    """The columns of a file: those of its table, or what it selects, described as the column that it shows."""

    def view_column(name: str, sources: Sequence[Source]) -> Column:
        of = [column for by in sources for column in columns.get(by.table, ()) if column.place == by.place]
        return replace(of[0], path=name) if len(sources) == len(of) == 1 and file.stage != REPORTS else Column(name)

    traces = lineage.traces[file.table]
    return columns[file.table] or [view_column(name, trace.sources) for name, trace in traces.items()]


def _expected(file: SqlFile, results: Sequence[Mapping[str, Any]]) -> list[Expected]:
    """The rules and checks of a table's suite, each with its result in the newest validation."""
    checked = {
        (row["column_name"] or "", row["expectation"]): (row["is_met"], row["observed"].partition(CAUSE)[0])
        for row in results
        if row["table_name"] == file.name
    }
    expected = []
    for rule in expectations_of(file):
        column, text = rule["kwargs"].get("column", ""), wording(rule)
        is_met, observed = checked.get((column, text), (None, ""))
        expected.append(Expected(column, text, rule["severity"], is_met, observed, rule["notes"]))
    return expected


def described(file: SqlFile) -> tuple[list[Column], str]:
    """The columns of the CREATE TABLE, each followed by the fields in it, and the table's comment."""
    for tree in (parsed(text, file.place) for text in split(file.text)):
        if isinstance(tree, exp.Create) and tree.kind == "TABLE":
            comment = tree.find(exp.SchemaCommentProperty)
            columns = [each for each in tree.find_all(exp.ColumnDef) if not each.find_ancestor(exp.DataType)]
            return [part for column in columns for part in _parts(column)], comment.this.name if comment else ""
    return [], ""


def _parts(column: exp.ColumnDef) -> Iterator[Column]:
    comment = column.find(exp.CommentColumnConstraint)
    (path, kind), *fields = _fields(column.args["kind"], column.name)
    is_partition = column.find_ancestor(exp.PartitionedByProperty) is not None
    yield Column(path, kind, comment.this.name if comment else "", is_partition)
    yield from (Column(path, kind) for path, kind in fields)


def _fields(kind: exp.DataType, path: str) -> Iterator[tuple[str, str]]:
    """(path, type) of a type and of all fields in it; an array and its elements are one."""
    words, inner = [], path
    while kind.is_type("array", "map"):
        words.append(kind.this.value)
        inner += ELEMENT
        kind = kind.expressions[-1]
    is_struct = kind.is_type("struct")
    yield path, " of ".join([*words, "STRUCT" if is_struct else kind.sql("hive")])
    for member in kind.expressions if is_struct else ():
        yield from _fields(member.args["kind"], f"{inner}.{member.name}")
