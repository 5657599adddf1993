"""Corrects Superset 6.1.0 and PyHive: tables and views, LIMIT, dots and quotes in charts, errors, names of users."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pyhive.sqlalchemy_hive import HiveCompiler, HiveDialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import String

TRACE = re.compile(r"(?:\n|\\n)(?:\t|\\t)at |;(?:\n|\\n)['+]")  # where a Java trace or a plan begins


def names(rows: list[Any]) -> list[str]:
    """The names in the rows of SHOW TABLES or SHOW VIEWS: (name,), or (database, name, is_temporary) on Spark."""
    return [row[0] if len(row) == 1 else row[1] for row in rows]


def table_names(_: Any, connection: Any, schema: str | None = None, **__: Any) -> list[str]:
    """Take the place of HiveDialect.get_table_names, which on Spark repeats the name of the database."""
    return names(connection.execute(f"SHOW TABLES IN `{schema or 'default'}`").fetchall())


def view_names(_: Any, database: Any, inspector: Any, schema: str | None) -> set[str]:  # noqa: ARG001
    """Take the place of HiveEngineSpec.get_view_names, for the same reason."""
    with database.get_raw_connection(schema=schema) as connection:
        cursor = connection.cursor()
        cursor.execute(f"SHOW VIEWS IN `{schema or 'default'}`")
        return set(names(cursor.fetchall()))


def keeping_limit(original: Callable[..., None]) -> Callable[..., None]:
    """SQL Lab replaces a LIMIT by that of its menu, also a lower one (apache/superset#40070): keep the lower."""

    def set_limit_value(statement: Any, limit: int, *arguments: Any) -> None:
        original(statement, min(limit, statement.get_limit_value() or limit), *arguments)

    return set_limit_value


def column(original: Callable[..., str]) -> Callable[..., str]:
    """PyHive cuts what stands before the first of two dots, also in an expression such as SUM(0.5 * a + 0.5 * b)."""

    def visit_column(compiler: Any, column: Any, *arguments: Any, **options: Any) -> str:
        visit = SQLCompiler.visit_column if column.is_literal else original
        return str(visit(compiler, column, *arguments, **options))

    return visit_column


class Text(String):
    """Text as both engines read it: they escape by a backslash, and HiveServer2 reads 'it''s' as its."""

    def literal_processor(self, dialect: Any) -> Callable[[str], str]:
        """What renders a value in SQL; Superset halves the percent signs again."""
        percent = "%%" if dialect.identifier_preparer._double_percents else "%"

        def process(value: str) -> str:
            escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("%", percent)
            return f"'{escaped}'"

        return process


def own_names(original: Callable[..., Any]) -> Callable[..., Any]:
    """In lists of related users and roles, whose names tell of customers, each but an administrator is alone."""
    from flask_appbuilder.models.sqla.filters import FilterEqual
    from superset.utils.core import get_user_id

    from superset import security_manager

    def _get_related_filter(api: Any, datamodel: Any, *arguments: Any) -> Any:
        filters = original(api, datamodel, *arguments)
        seen = {security_manager.user_model: get_user_id(), security_manager.role_model: 0}
        if datamodel.obj in seen and not security_manager.is_admin():
            filters.add_filter("id", FilterEqual, seen[datamodel.obj])
        return filters

    return _get_related_filter


def no_more_names(original: Callable[..., None]) -> Callable[..., None]:
    """To such a list, also of databases, Superset adds whatever ids a request names, past all filters."""
    from superset import security_manager

    def _add_extra_ids_to_result(*arguments: Any) -> None:
        if security_manager.is_admin():
            original(*arguments)

    return _add_extra_ids_to_result


def message(text: str) -> str:
    """The text of an error without the server's trace and plan."""
    return TRACE.split(text, maxsplit=1)[0].strip()


def apply() -> None:
    """Replace these functions; Superset can be imported once its settings are read."""
    from superset.db_engine_specs import databricks  # noqa: F401 (on import it sets a type for String, too)
    from superset.db_engine_specs.hive import HiveEngineSpec
    from superset.sql.parse import SQLStatement
    from superset.views.base_api import BaseSupersetModelRestApi

    extract = HiveEngineSpec._extract_error_message
    HiveDialect.get_table_names = table_names
    HiveDialect.colspecs = {String: Text}
    HiveCompiler.visit_column = column(HiveCompiler.visit_column)
    HiveEngineSpec.get_view_names = classmethod(view_names)
    HiveEngineSpec._extract_error_message = classmethod(lambda _, error: message(extract(error)))
    SQLStatement.set_limit_value = keeping_limit(SQLStatement.set_limit_value)
    BaseSupersetModelRestApi._get_related_filter = own_names(BaseSupersetModelRestApi._get_related_filter)
    extra = BaseSupersetModelRestApi._add_extra_ids_to_result
    BaseSupersetModelRestApi._add_extra_ids_to_result = no_more_names(extra)
