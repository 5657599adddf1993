"""report: the questions of sql/4_reports/ asked and written as an HTML page, as Markdown with plots, as a notebook."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from etl.errors import UsageError, WarehouseError
from etl.pages import Facts, Section, alone, render_html, render_markdown
from etl.pages.write import write
from etl.report.question import Result, place, position, section
from etl.servers.hive import Query
from etl.settings import Settings
from etl.sqlfile import SqlFile, files

STAGE = "4_reports"


Watch = Callable[[Sequence[SqlFile]], Iterable[SqlFile]]


@dataclass(frozen=True)
class Reported:
    """What a report came to: its files, its questions, and each question with its answer in one line."""

    html: Path
    markdown: Path
    sections: Sequence[Section]
    answers: Sequence[str]
    notebook: Path | None = None


def questions() -> list[SqlFile]:
    """The files of sql/4_reports/ in the order of the report."""
    return sorted(files(STAGE), key=position)


def heading(settings: Settings) -> str:
    """What the report is called."""
    return f"{settings.topic.replace('_', ' ').capitalize()} report"


def report(settings: Settings, query: Query, sources: Sequence[SqlFile] | None = None, watch: Watch = iter) -> Reported:
    """Ask every question and write the pages; `watch` sees each file before it is asked.

    Raises UsageError for a header that does not fit its result, naming file and column.
    """
    began = time.monotonic()
    asked = questions() if sources is None else sorted(sources, key=position)
    if not asked:
        raise UsageError(f"there is no question in sql/{STAGE}", "add a SQL file")
    return assembled(settings, [section(file, ask(file, query)) for file in watch(asked)], began)


def assembled(settings: Settings, sections: Iterable[Section], began: float) -> Reported:
    """Write the pages of these answers; `began` is when the first was asked for, by the monotonic clock."""
    # What is asked about the data itself goes to the end: its answers stand at the top already.
    sections = sorted(sections, key=lambda one: one.front is not None)
    facts = Facts(
        title=heading(settings),
        made_at=datetime.datetime.now(datetime.UTC),
        seconds=time.monotonic() - began,
    )
    return written(settings.reports, sections, facts)


def ask(file: SqlFile, query: Query) -> Result:
    """The result of the file's one SELECT; an error names the file."""
    statements = file.statements()
    if len(statements) != 1:
        raise UsageError(f"{place(file)} holds {len(statements)} statements", "a report asks exactly one question")
    try:
        return query(statements[0])
    except WarehouseError as error:
        raise type(error)(f"{place(file)}: {error.args[0]}", error.step) from error


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
