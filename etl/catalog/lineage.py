"""Which columns every column of the warehouse is computed from, read from the SQL: from a report back to the message.

A view shows its table, so a read by either name counts as a read of the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify

from etl.catalog.column_sources import Source, Trace, parameters, traced
from etl.errors import UsageError
from etl.sqlfile import SqlFile
from etl.sqltext import parsed, split

Schema = dict[str, dict[str, dict[str, str]]]


@dataclass(frozen=True)
class Filling:
    """The query that makes the rows of a file, and the values of partition columns that are set beside it."""

    query: exp.Query
    fixed: Mapping[str, exp.Expr]


class Lineage:
    """The lineage of SQL files. Tables go by the name of their version, flat.attempts_v1, reports by their own."""

    def __init__(self, files: Sequence[SqlFile]) -> None:
        """Trace every file; one that cannot be traced is in `untraced`, with the reason."""
        self.names = {file.name: file.table for file in sorted(files, key=lambda file: file.version)}
        self.names |= {file.table: file.table for file in files}
        # The views of `candidate` have the text of those of flat, so what they show comes from the same tables.
        self.names |= {_candidate(name): table for name, table in self.names.items() if name.startswith("flat.")}
        self.pointers = {file.table for file in files if file.stage.startswith("0") and not file.columns}
        self.reads: dict[str, list[str]] = {}
        self.viewed: dict[str, list[str]] = {}  # what the view of a table reads beside it
        self.traces: dict[str, dict[str, Trace]] = {}
        self.untraced: dict[str, str] = {}
        trees = {file.table: [parsed(text, file.place) for text in split(file.text)] for file in files}
        fillings = {file.table: filling(file, trees[file.table]) for file in files}
        schema = _schema(files, fillings)
        for file in files:
            source = fillings[file.table]
            # A table that no SQL fills has the reads of its view, as raw.rejected_messages does.
            self.reads[file.table] = self._read(file, [source.query] if source else trees[file.table])
            read = self._read(file, trees[file.table])
            self.viewed[file.table] = [name for name in read if name not in self.reads[file.table]]
            try:
                self.traces[file.table] = self._traced(file, source, schema) if source else {}
            except (SqlglotError, UsageError) as error:
                self.traces[file.table] = {}
                self.untraced[file.table] = " ".join(str(error).split())

    def _read(self, file: SqlFile, trees: Sequence[exp.Expr]) -> list[str]:
        names = {f"{table.db}.{table.name}" for tree in trees for table in tree.find_all(exp.Table) if table.db}
        return sorted({self.names.get(name, name) for name in names} - {file.table})

    def _traced(self, file: SqlFile, source: Filling, schema: Schema) -> dict[str, Trace]:
        """INSERT goes by place, not by name: the first column of the table is the first that is selected."""
        database, _, table = file.table.partition(".")
        names = [name for name in schema[database][table] if name not in source.fixed]
        traces = traced(source.query, schema, self.names)
        if len(traces) != len(names):
            raise UsageError(f"{file.place} selects {len(traces)} columns for {len(names)}", "check its SELECT")
        fixed = {name: Trace(parameters=tuple(sorted(set(parameters(value))))) for name, value in source.fixed.items()}
        # A pointer holds no data: joined to other rows, it is no source of their number.
        traces = [
            replace(trace, sources=tuple(by for by in trace.sources if by.path or by.table not in self.pointers))
            for trace in traces
        ]
        by_name = dict(zip(names, traces, strict=True)) | fixed
        return {name: by_name[name] for name in dict(file.columns) or by_name}

    def origins(self, source: Source) -> set[Source]:
        """What a source originally comes from: columns that no SQL computes, such as fields of the message."""
        traces = self.traces.get(source.table, {})
        if source.column in traces:
            rest = source.path.removeprefix(source.column)  # a field in a column that is handed on as it is
            before = tuple(Source(by.table, by.path + rest) for by in traces[source.column].sources)
        else:  # the rows of a table that is filled from others come from their rows
            tables = [table for table in self.reads.get(source.table, ()) if traces and table not in self.pointers]
            before = tuple(Source(table, "") for table in tables)
            before = before if not source.path else ()
            if not before:
                return {source}
        return {origin for nearer in before for origin in self.origins(nearer)}

    def uses(self) -> dict[tuple[str, str], list[Source]]:
        """The columns that are computed from each (table, place)."""
        readers: dict[tuple[str, str], set[Source]] = {}
        for table, traces in self.traces.items():
            for column, trace in traces.items():
                for source in trace.sources:
                    readers.setdefault((source.table, source.place), set()).add(Source(table, column))
        return {key: sorted(used) for key, used in readers.items()}


def filling(file: SqlFile, trees: Sequence[exp.Expr]) -> Filling | None:
    """The query that makes a file's rows: of its INSERT, the question itself, or of a view that has no table."""
    for tree in sorted(trees, key=lambda tree: not isinstance(tree, exp.Insert)):
        if isinstance(tree, exp.Insert):
            query = tree.expression
            if tree.args.get("with_"):  # Hive requires it in front of INSERT
                query.set("with_", tree.args["with_"])
            partition = tree.this.args.get("partition")
            pairs = [pair for pair in (partition.expressions if partition else ()) if isinstance(pair, exp.EQ)]
            return Filling(query, {pair.this.name: pair.expression for pair in pairs})
        if isinstance(tree, exp.Query):
            return Filling(tree, {})
        if isinstance(tree, exp.Create) and tree.kind == "VIEW" and not file.columns:
            return Filling(tree.expression, {})
    return None


def _schema(files: Sequence[SqlFile], fillings: Mapping[str, Filling | None]) -> Schema:
    """Database, table and column to the column's type, of tables and of views."""
    schema: Schema = {}
    for file in sorted(files, key=lambda file: not file.columns):  # a view may select all columns of a table
        columns = dict(file.columns) or _selected(fillings[file.table], schema)
        for name in {file.name, file.table}:
            database, _, table = name.partition(".")
            schema.setdefault(database, {})[table] = columns
    return schema | {"candidate": schema["flat"]} if "flat" in schema else schema


def _selected(source: Filling | None, schema: Schema) -> dict[str, str]:
    """The columns of a query, with a star expanded to its columns."""
    if source is None:
        return {}
    names = source.query.named_selects
    if "*" in names:
        names = qualify(source.query.copy(), schema=dict(schema), dialect="hive").named_selects
    return dict.fromkeys(names, "string")


def _candidate(name: str) -> str:
    return f"candidate.{name.partition('.')[2]}"
