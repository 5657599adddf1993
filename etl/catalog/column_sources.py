"""What each column of one query is computed from: columns of tables, fields of structs in them, rows, parameters.

sqlglot resolves the table and the scope of every column; what it does not follow is done here: fields of
structs, elements of exploded arrays, rows that are only counted, and STACK. What filters or joins rows is no source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope, find_all_in_scope

from etl.sqltext import VARIABLE

ELEMENT = "[]"


@dataclass(frozen=True, order=True)
class Source:
    """A column of a table, or a field in it: raw.assessments_v1, payload.sequences.id. No path means the rows."""

    table: str
    path: str

    @property
    def column(self) -> str:
        """The column that holds it."""
        return re.split(r"[.\[]", self.path, maxsplit=1)[0]

    @property
    def place(self) -> str:
        """The path without what marks the elements of arrays, as pages name it."""
        return self.path.replace(ELEMENT, "")


@dataclass(frozen=True)
class Trace:
    """What one column is computed from, and the parameters in it; a constant where there is neither."""

    sources: tuple[Source, ...] = ()
    parameters: tuple[str, ...] = ()


def traced(query: exp.Query, schema: Mapping[str, Any], names: Mapping[str, str]) -> list[Trace]:
    """A trace per column of the query. `schema` has the type of every column of every table of every database.

    `names` has what a table is called in the traces. Raises sqlglot's error for a column that no table has.
    """
    scope = build_scope(qualify(_unstacked(query), schema=dict(schema), dialect="hive"))
    if scope is None:
        return []
    traces = []
    for place in range(len(_query(scope).selects)):
        tracer = _Tracer(names)
        tracer.output(scope, place, ())
        traces.append(tracer.trace)
    return traces


def parameters(node: exp.Expr) -> Iterator[str]:
    """The `${name}` in an expression, bare or within quotes."""
    for bare in find_all_in_scope(node, exp.Parameter):
        yield bare.name
    for literal in find_all_in_scope(node, exp.Literal):
        yield from VARIABLE.findall(literal.name)


def _unstacked(query: exp.Query) -> exp.Query:
    """The query with `STACK(n, a, b, ...) AS (x, y)` as one expression per name: sqlglot does not resolve it."""
    query = query.copy()
    for select in list(query.find_all(exp.Select)):
        expressions: list[exp.Expr] = []
        for column in select.expressions:
            if isinstance(column, exp.Aliases) and isinstance(column.this, exp.Stack):
                values, names = column.this.expressions, column.expressions
                groups = [values[place :: len(names)] for place in range(len(names))]
                expressions += [
                    exp.alias_(exp.Coalesce(this=group[0], expressions=group[1:]), name)
                    for group, name in zip(groups, names, strict=True)
                ]
            else:
                expressions.append(column)
        select.set("expressions", expressions)
    return query


class _Tracer:
    """Collects what one column is computed from, through CTEs, subqueries, unions and lateral views."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._sources: set[Source] = set()
        self._parameters: set[str] = set()

    @property
    def trace(self) -> Trace:
        """The sources and parameters collected so far."""
        return Trace(tuple(sorted(self._sources)), tuple(sorted(self._parameters)))

    def output(self, scope: Scope, place: int, fields: tuple[str, ...]) -> None:
        """The column of a query at this place; `fields` is what is taken of it."""
        for part in scope.set_operation_scopes:
            self.output(part, place, fields)
        if not scope.set_operation_scopes:
            self._value(scope, _query(scope).selects[place].unalias(), fields)

    def _value(self, scope: Scope, node: exp.Expr, fields: tuple[str, ...]) -> None:
        self._parameters.update(parameters(node))
        for column in find_all_in_scope(node, exp.Column):
            top, taken = _climbed(column)
            self._column(scope, column, taken + (fields if top is node else ()))
        for count in find_all_in_scope(node, exp.Count):
            if not count.find(exp.Column):
                self._rows(scope)
        for inner in scope.subquery_scopes:
            if any(parent is node for parent in _ancestors(inner.expression)):
                for place in range(len(_query(inner).selects)):
                    self.output(inner, place, ())

    def _column(self, scope: Scope, column: exp.Column, fields: tuple[str, ...]) -> None:
        owner: Scope | None = scope
        while owner is not None and column.table not in owner.sources:  # of a correlated subquery the outer query
            owner = owner.parent
        if owner is None:
            return
        source = owner.sources[column.table]
        if isinstance(source, exp.Table):
            self._sources.add(Source(self._named(source), _joined(column.name, fields)))
        elif isinstance(source.expression, exp.Lateral):
            self._exploded(owner, source.expression, column.name, fields)
        else:
            self.output(source, _query(source).named_selects.index(column.name), fields)

    def _exploded(self, scope: Scope, lateral: exp.Lateral, name: str, fields: tuple[str, ...]) -> None:
        function = lateral.this
        if not isinstance(function, exp.Explode | exp.Posexplode):
            self._value(scope, function, ())
            return
        names = [identifier.name for identifier in lateral.args["alias"].columns]
        is_position = isinstance(function, exp.Posexplode) and names.index(name) == 0
        self._value(scope, function.this, () if is_position else (ELEMENT, *fields))

    def _rows(self, scope: Scope) -> None:
        """What is counted where rows are: those of the tables behind the scope, elements where arrays are exploded."""
        for part in scope.set_operation_scopes:
            self._rows(part)
        for _, source in scope.selected_sources.values():
            if isinstance(source, exp.Table):
                self._sources.add(Source(self._named(source), ""))
            elif isinstance(source.expression, exp.Lateral):
                self._value(scope, source.expression.this.this, (ELEMENT,))
            else:
                self._rows(source)

    def _named(self, table: exp.Table) -> str:
        name = f"{table.db}.{table.name}"
        return self._names.get(name, name)


def _query(scope: Scope) -> exp.Query:
    return cast(exp.Query, scope.expression)  # of what a query selects from only lateral views are not queries


def _climbed(column: exp.Column) -> tuple[exp.Expr, tuple[str, ...]]:
    """The outermost expression that only dereferences this column, and the fields that it takes."""
    top: exp.Expr = column
    fields: list[str] = []
    while isinstance(top.parent, exp.Dot | exp.Bracket | exp.Paren) and top.arg_key == "this":
        top = top.parent
        if isinstance(top, exp.Dot):
            fields.append(top.expression.name)
        elif isinstance(top, exp.Bracket):
            fields.append(ELEMENT)
    return top, tuple(fields)


def _ancestors(node: exp.Expr) -> Iterator[exp.Expr]:
    while node.parent is not None:
        node = node.parent
        yield node


def _joined(column: str, fields: tuple[str, ...]) -> str:
    return "".join([column, *(field if field == ELEMENT else f".{field}" for field in fields)])
