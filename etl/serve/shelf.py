"""What can be asked about, read from the SQL files: readers' tables with their columns, and questions as examples."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlglot
from sqlglot import exp

from etl import sqlfile
from etl.report.charts import Chart
from etl.report.question import position
from etl.report.report import STAGE
from etl.sqlfile import VARIABLE, SqlFile, split

ORDER = ("2_flat", "3_marts", "1_raw", "0_ops")  # what readers want most comes first


@cache  # to read all files takes half a second
def shelf() -> dict[str, Any]:
    """The tables, each by the newest version's file, and the questions of the report in its order."""
    newest = {file.name: file for file in sqlfile.files("[0-3]_*")}  # the files of one name come by version
    tables = sorted(newest.values(), key=lambda file: (ORDER.index(file.stage), file.name))
    examples = sorted(sqlfile.files(STAGE), key=position)
    return {
        "tables": [{"name": one.name, "title": one.title, "columns": columns(one)} for one in tables],
        "examples": [example(one) for one in examples],
    }


def example(file: SqlFile) -> dict[str, Any]:
    """A question of the report, with the chart that it has there."""
    chart = Chart.parse(file.header.get("Chart", "none"), file.place)
    return {"title": file.title[:1].upper() + file.title[1:], "sql": split(file.text)[0], "chart": vars(chart)}


def columns(file: SqlFile) -> list[dict[str, str]]:
    """Name, type and comment of every column of what a file makes; of a view alone just the names."""
    for statement in split(VARIABLE.sub("x", file.text)):
        if not statement.upper().startswith(("CREATE EXTERNAL TABLE", "CREATE OR REPLACE VIEW")):
            continue
        tree = sqlglot.parse_one(statement, read="hive")
        if found := [_column(one) for one in tree.find_all(exp.ColumnDef) if not one.find_ancestor(exp.DataType)]:
            return found
        if isinstance(tree.expression, exp.Select):
            return [{"name": name, "type": "", "comment": ""} for name in tree.expression.named_selects]
    return []


def _column(definition: exp.ColumnDef) -> dict[str, str]:
    kind = definition.args["kind"].sql("hive").lower()
    comment = definition.find(exp.CommentColumnConstraint)
    own = comment is not None and comment.find_ancestor(exp.ColumnDef) is definition
    return {"name": definition.name, "type": kind, "comment": comment.name if comment and own else ""}
