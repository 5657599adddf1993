"""Which columns every column of the warehouse is computed from, read from the SQL: from a report back to the message.

A view is not asked: it shows its table, so what is read by either name is the table's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from etl.catalog.column_sources import Source, Trace, parameters, traced
from etl.errors import UsageError
from etl.sqlfile import SqlFile, split


@dataclass(frozen=True)
class Filling:
    """The query that makes the rows of a file, and the values of partition columns that are set beside it."""

    query: exp.Query
    fixed: Mapping[str, exp.Expr]


class Lineage:
    """The lineage of SQL files. Tables go by the name of their version, flat.attempts_v1, reports by their own."""

    def __init__(self, files: Sequence[SqlFile]) -> None:
        """Trace every file; one that cannot be traced is in `untraced`, with the reason."""
        self.names = {file.name: file.table for file in sorted(files, key=lambda one: one.version)}
        self.names |= {file.table: file.table for file in files}
        self.reads: dict[str, list[str]] = {}
        self.viewed: dict[str, list[str]] = {}  # what the view of a table reads beside it
        self.traces: dict[str, dict[str, Trace]] = {}
        self.untraced: dict[str, str] = {}
        trees = {file.table: [sqlglot.parse_one(text, read="hive") for text in split(file.text)] for file in files}
        fillings = {file.table: filling(file, trees[file.table]) for file in files}
        schema = _schema(files, fillings)
        for file in files:
            found = fillings[file.table]
            # What reads nothing else is still kept in order by its view, as raw.rejected_messages is.
            self.reads[file.table] = self._read(file, [found.query] if found else trees[file.table])
            read = self._read(file, trees[file.table])
            self.viewed[file.table] = [name for name in read if name not in self.reads[file.table]]
            try:
                self.traces[file.table] = self._traced(file, found, schema) if found else {}
            except (SqlglotError, UsageError) as error:
                self.traces[file.table] = {}
                self.untraced[file.table] = " ".join(str(error).split())

    def _read(self, file: SqlFile, trees: Sequence[exp.Expr]) -> list[str]:
        found = {f"{one.db}.{one.name}" for tree in trees for one in tree.find_all(exp.Table) if one.db}
        return sorted({self.names.get(name, name) for name in found} - {file.table})

    def _traced(self, file: SqlFile, found: Filling, schema: Mapping[str, Mapping[str, object]]) -> dict[str, Trace]:
        """INSERT goes by place, not by name: the first column of the table is the first that is selected."""
        names = [name for name, _ in file.columns if name not in found.fixed] or found.query.named_selects
        traces = traced(found.query, schema, self.names)
        if len(traces) != len(names):
            raise UsageError(f"{file.place} selects {len(traces)} columns for {len(names)}", "look at its SELECT")
        own = {self.names.get(name, name) for name in (file.name, file.table)}  # rows that an earlier build made alike
        traces = [replace(one, sources=tuple(by for by in one.sources if by.table not in own)) for one in traces]
        fixed = {name: Trace(parameters=tuple(sorted(set(parameters(value))))) for name, value in found.fixed.items()}
        found_by_name = dict(zip(names, traces, strict=True)) | fixed
        return {name: found_by_name[name] for name in dict(file.columns) or found_by_name}

    def origins(self, source: Source) -> set[Source]:
        """What a source comes from in the end: columns that no SQL computes, such as fields of the message."""
        traces = self.traces.get(source.table, {})
        if source.column in traces:
            rest = source.path.removeprefix(source.column)  # a field in a column that is handed on as it is
            before = tuple(Source(one.table, one.path + rest) for one in traces[source.column].sources)
        else:  # the rows of a table that is filled from others are made of their rows
            before = tuple(Source(table, "") for table in self.reads.get(source.table, ()) if traces)
            before = before if not source.path else ()
            if not before:
                return {source}
        return {origin for one in before for origin in self.origins(one)}

    def uses(self) -> dict[tuple[str, str], list[Source]]:
        """The columns that are computed from each (table, place)."""
        found: dict[tuple[str, str], set[Source]] = {}
        for table, traces in self.traces.items():
            for column, trace in traces.items():
                for source in trace.sources:
                    found.setdefault((source.table, source.place), set()).add(Source(table, column))
        return {key: sorted(used) for key, used in found.items()}


def filling(file: SqlFile, trees: Sequence[exp.Expr]) -> Filling | None:
    """The query that makes a file's rows: of its INSERT, the question itself, or of a view that has no table."""
    for tree in sorted(trees, key=lambda one: not isinstance(one, exp.Insert)):
        if isinstance(tree, exp.Insert):
            query = tree.expression
            if tree.args.get("with_"):  # Hive wants it in front of INSERT
                query.set("with_", tree.args["with_"])
            partition = tree.this.args.get("partition")
            pairs = [one for one in (partition.expressions if partition else ()) if isinstance(one, exp.EQ)]
            return Filling(query, {one.this.name: one.expression for one in pairs})
        if isinstance(tree, exp.Query):
            return Filling(tree, {})
        if isinstance(tree, exp.Create) and tree.kind == "VIEW" and not file.columns:
            return Filling(tree.expression, {})
    return None


def _schema(files: Sequence[SqlFile], fillings: Mapping[str, Filling | None]) -> dict[str, dict[str, dict[str, str]]]:
    """Database, table and column to the column's type, of tables and of views."""
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for file in files:
        found = fillings[file.table]
        columns = dict(file.columns) or {name: "string" for name in (found.query.named_selects if found else ())}
        for name in {file.name, file.table}:
            database, _, table = name.partition(".")
            schema.setdefault(database, {})[table] = columns
    return schema
