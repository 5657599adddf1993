"""report: the questions of sql/4_reports/ asked, and written as one HTML page and one Markdown file with its plots."""

from __future__ import annotations

import datetime
import math
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from etl.errors import UsageError, WarehouseError
from etl.settings import PROJECT, Settings
from etl.sqlfile import SqlFile, files
from etl.templates import (
    Facts,
    Part,
    Section,
    Verdict,
    alone,
    render_html,
    render_markdown,
    shown,
)

STAGE = "4_reports"
# Questions about the data itself: their answers stand at the top of the page, they themselves at its end.
FRONT = ("data_source", "completeness")
VERDICT = """
    SELECT COUNT(*) AS expectations, SUM(CASE WHEN is_met THEN 0 ELSE 1 END) AS unmet, MAX(validated_at) AS at_time
    FROM ops.expectation_results
    WHERE run_id IN (SELECT MAX(run_id) FROM ops.expectation_results)
"""
PLACE = re.compile(r"\{(\w+)\}")


class Result(Protocol):
    """The rows of a query, as etl.hive gives them."""

    @property
    def columns(self) -> Sequence[str]: ...

    @property
    def rows(self) -> Sequence[Sequence[Any]]: ...


class Query(Protocol):
    """Runs one statement."""

    def __call__(self, statement: str, /) -> Result: ...


Watch = Callable[[Sequence[SqlFile]], Iterable[SqlFile]]


@dataclass(frozen=True)
class Reported:
    """What a report came to: its two files, its questions, and each question with its answer in one line."""

    html: Path
    markdown: Path
    sections: Sequence[Section]
    answers: Sequence[str]


def report(settings: Settings, query: Query, sources: Sequence[SqlFile] | None = None, watch: Watch = iter) -> Reported:
    """Ask every question and write the pages; `watch` sees each file before it is asked.

    Raises UsageError for a header that does not fit its result, naming file and column.
    """
    began = time.monotonic()
    asked = sorted(files(STAGE) if sources is None else sources, key=position)
    if not asked:
        raise UsageError(f"there is no question in sql/{STAGE}", "add a SQL file")
    # What is asked about the data itself goes to the end: its answers stand at the top already.
    sections = sorted((section(file, ask(file, query)) for file in watch(asked)), key=lambda one: one.name in FRONT)
    facts = Facts(
        title=f"{settings.topic.replace('_', ' ').capitalize()} report",
        made_at=datetime.datetime.now(datetime.UTC),
        seconds=time.monotonic() - began,
        front=[one for name in FRONT for one in sections if one.name == name],
        verdict=verdict(query),
    )
    return written(settings.reports, sections, facts)


def position(file: SqlFile) -> tuple[float, str]:
    """Where a question stands in the report: by its Position line, those without one last."""
    text = file.header.get("Position", "")
    return (int(text) if text.isdecimal() else math.inf), file.name


def verdict(query: Query) -> Verdict | None:
    """What the last validation came to, None where there was none."""
    result = query(VERDICT)
    expectations, unmet, validated_at = result.rows[0]
    if not expectations:
        return None
    return Verdict(expectations, unmet, datetime.datetime.fromisoformat(validated_at))


def ask(file: SqlFile, query: Query) -> Result:
    """The result of the file's one SELECT; an error names the file."""
    statements = file.statements()
    if len(statements) != 1:
        raise UsageError(f"{place(file)} holds {len(statements)} statements", "a report asks exactly one question")
    try:
        return query(statements[0])
    except WarehouseError as error:
        raise type(error)(f"{place(file)}: {error.args[0]}", error.step) from error


def section(file: SqlFile, result: Result) -> Section:
    """A question with its answer and its chart."""
    from etl.charts import NARROW, WIDE, Chart, draw  # Altair takes a quarter of a second to import

    where = place(file)
    chart = Chart.parse(file.header.get("Chart", "none"), where)
    question = file.title[:1].upper() + file.title[1:]

    def drawn(width: int) -> str | None:
        return draw(chart, result.columns, result.rows, where, question, width) if result.rows else None

    return Section(
        name=file.name.partition(".")[2],
        question=question,
        answer=filled(file.header.get("Answer", ""), result, where),
        columns=result.columns,
        rows=result.rows,
        assumptions=file.header.get("Assumes", ""),
        sql=file.text.strip(),
        path=where,
        chart_svg=drawn(WIDE),
        chart_svg_narrow=drawn(NARROW),
    )


def filled(template: str, result: Result, where: str) -> tuple[Part, ...]:
    """The answer's template with the values of the first row; UsageError for a column that is not there."""
    if not result.rows:
        return (Part("No rows.", False),)
    row = dict(zip(result.columns, result.rows[0], strict=True))
    parts: list[Part] = []
    for number, text in enumerate(PLACE.split(template)):
        if number % 2 and text not in row:
            raise UsageError(
                f"{where} answers with the column {text}, which its result does not have",
                f"its columns are {', '.join(row)}",
            )
        parts.append(Part(shown(text, row[text]), True) if number % 2 else Part(text, False))
    return tuple(_without_second_percent(parts))


def _without_second_percent(parts: Sequence[Part]) -> Iterator[Part]:
    """A template may write the sign itself, as in `{mean_score_percent} %`; a value brings its own."""
    before = Part("", False)
    for part in parts:
        is_doubled = before.is_value and before.text.endswith("%")
        before = Part(re.sub(r"^\s*%", "", part.text), False) if is_doubled and not part.is_value else part
        if before.text:
            yield before


def place(file: SqlFile) -> str:
    """The file's path from the project's folder on, so that no page tells where the project lies."""
    return str(file.path.relative_to(PROJECT)) if file.path.is_relative_to(PROJECT) else file.path.name


def written(folder: Path, sections: Sequence[Section], facts: Facts) -> Reported:
    """Write report.html, report.md and plots/*.svg; plots of questions that are gone go too."""
    plots = {f"{one.name}.svg": alone(one.chart_svg) for one in sections if one.chart_svg}
    for name, svg in plots.items():
        write(folder / "plots" / name, svg)
    write(folder / "report.md", render_markdown(sections, facts))
    write(folder / "report.html", render_html(sections, facts))
    for old in (folder / "plots").glob("*.svg"):
        if old.name not in plots:
            old.unlink()
    answers = [f"{one.question} {one.sentence}" for one in sections]
    return Reported(folder / "report.html", folder / "report.md", sections, answers)


def write(path: Path, text: str) -> None:
    """The whole file or none of it: a reader never sees half a page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
