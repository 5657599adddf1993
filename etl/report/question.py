"""One question of sql/4_reports/: its header and its rows in, what a page shows of it out. Pure: no server is called.

    -- reports.completeness: is every message accounted for?
    -- Answer: {accepted} messages are in raw.             the columns of the first row, put in
    -- Empty: Nobody has looked yet.                       the answer where there is no row
    -- Hides: is_all_built                                 columns that a table leaves out
    -- Front: kafka_messages = accepted + rejected if is_all_landed      on the first page: equations,
    -- Front: landed_at, built_at                                        figures,
    -- Front: answer                                                     or the answer alone
    -- Chart: bar x=messages y=exam_name                   as in etl/report/charts.py

A column `standing` says good, warn or bad of the whole; no table shows it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from etl.errors import UsageError
from etl.pages import Equation, Front, Part, Section, Term
from etl.pages.words import display, sentence
from etl.settings import PROJECT
from etl.sqlfile import SqlFile

PLACE = re.compile(r"\{(\w+)\}")
EQUATION = re.compile(r"(\w+) = (\w+(?: \+ \w+)*) if (\w+)")
STANDING = "standing"
STANDINGS = ("good", "warn", "bad")


class Result(Protocol):
    """The rows of a query, as etl.servers.hive gives them."""

    @property
    def columns(self) -> Sequence[str]: ...

    @property
    def rows(self) -> Sequence[Sequence[Any]]: ...


def place(file: SqlFile) -> str:
    """The file's path from the project's folder on, so that no page shows where the project is."""
    return str(file.path.relative_to(PROJECT)) if file.path.is_relative_to(PROJECT) else file.path.name


def position(file: SqlFile) -> tuple[float, str]:
    """The place of a question in the report: by its Position line, those without one last."""
    text = file.header.get("Position", "")
    return (int(text) if text.isdecimal() else math.inf), file.name


def title(file: SqlFile) -> str:
    """The question, as a sentence begins."""
    return sentence(file.title)


def short(file: SqlFile) -> str:
    """The question's name without its database."""
    return file.name.partition(".")[2]


def section(file: SqlFile, result: Result) -> Section:
    """A question with its answer and its chart, for wide and for narrow pages.

    Raises UsageError for a header that does not fit the result, naming file and column.
    """
    from etl.report.charts import NARROW, WIDE, Chart, draw  # Altair takes a quarter of a second to import

    where, question = place(file), title(file)
    chart = Chart.parse(file.header.get("Chart", "none"), where)

    def drawn(width: int) -> str | None:
        return draw(chart, result.columns, result.rows, where, question, width) if result.rows else None

    first = dict(zip(result.columns, result.rows[0], strict=True)) if result.rows else {}
    columns, rows = visible(file, result)
    return Section(
        name=short(file),
        question=question,
        answer=filled(file.header.get("Answer", ""), result, where, file.header.get("Empty", "No rows.")),
        columns=columns,
        rows=rows,
        assumptions=file.header.get("Assumes", ""),
        sql=file.text.strip(),
        path=where,
        chart_svg=drawn(WIDE),
        chart_svg_narrow=drawn(NARROW),
        standing=first[STANDING] if first.get(STANDING) in STANDINGS else "",
        front=front(file.header["Front"], first, where) if "Front" in file.header else None,
    )


def visible(file: SqlFile, result: Result) -> tuple[list[str], list[list[Any]]]:
    """The columns and rows that a table shows: what the answer says of all rows would only repeat."""
    hidden = {STANDING, *(name.strip() for name in file.header.get("Hides", "").split(","))}
    kept = [number for number, name in enumerate(result.columns) if name not in hidden]
    return [result.columns[number] for number in kept], [[row[number] for number in kept] for row in result.rows]


def front(text: str, row: Mapping[str, Any], where: str) -> Front:
    """The figures of the header's Front line, from the first row; without that line, only the answer."""
    if text == "answer" or not row:
        return Front()

    def term(column: str) -> Term:
        if column not in row:
            step = f"its columns are {', '.join(row)}"
            raise UsageError(f"{where} has {column} on the first page, which its result does not have", step)
        return Term(column, row[column])

    if "=" not in text:
        return Front(figures=[term(name.strip()) for name in text.split(",")])
    equations = []
    for equation in text.split(","):
        match = EQUATION.fullmatch(equation.strip())
        if not match:
            raise UsageError(f"{where} has the equation `{equation.strip()}`", "write it as `a = b + c if is_so`")
        left, right, holds = match.groups()
        equations.append(Equation(term(left), [term(name) for name in right.split(" + ")], term(holds).value))
    return Front(equations=equations)


def filled(template: str, result: Result, where: str, empty: str = "No rows.") -> tuple[Part, ...]:
    """The answer's template with the values of the first row; UsageError for a column that is not there."""
    if not result.rows:
        return (Part(empty, False),)
    row = dict(zip(result.columns, result.rows[0], strict=True))
    parts: list[Part] = []
    for number, text in enumerate(PLACE.split(template)):
        if number % 2 and text not in row:
            raise UsageError(
                f"{where} answers with the column {text}, which its result does not have",
                f"its columns are {', '.join(row)}",
            )
        parts.append(Part(display(text, row[text]), True) if number % 2 else Part(text, False))
    return tuple(part for part in parts if part.text)
