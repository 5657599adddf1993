"""The questions of sql/4_reports, answered and written as an HTML page, as Markdown with plots and as a notebook."""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from etl.errors import UsageError, WarehouseError
from etl.pages import Facts, Section, render_html, render_markdown
from etl.pages.colours import alone
from etl.pages.links import links
from etl.pages.words import heading
from etl.pages.write import write
from etl.report.question import Result, place, position, section
from etl.servers.hive import Hive, Query
from etl.settings import Settings
from etl.sqlfile import SqlFile, files

STAGE = "4_reports"
# Spark plans one statement while it runs another. HiveServer2 of the local stack runs one at a time.
SESSIONS = {"spark": 2}

Watch = Callable[[Sequence[SqlFile]], Iterable[SqlFile]]


@dataclass(frozen=True)
class Answer:
    """A question with the rows of its one query, and the section that pages show."""

    file: SqlFile
    result: Result
    section: Section


@dataclass(frozen=True)
class Reported:
    """The files that a report wrote, and its sections."""

    html: Path
    markdown: Path
    sections: Sequence[Section]
    notebook: Path | None = None

    @property
    def answers(self) -> list[str]:
        """Each question with its answer in one line."""
        return [f"{section.question} {section.sentence}" for section in self.sections]


def questions() -> list[SqlFile]:
    """The files of sql/4_reports/ in the order of the report."""
    return sorted(files(STAGE), key=position)


@contextlib.contextmanager
def sessions(settings: Settings) -> Iterator[Sequence[Query]]:
    """As many sessions as the engine of the settings makes use of, closed at the end."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Hive(settings)).query for _ in range(SESSIONS.get(settings.engine, 1))]


def report(
    settings: Settings,
    queries: Sequence[Query],
    sources: Sequence[SqlFile] | None = None,
    watch: Watch = iter,
    as_notebook: bool = False,
) -> Reported:
    """Answer every question by one query, and write the pages; `queries` are sessions to be used at the same time.

    `watch` sees each file before it is drawn. Raises UsageError for a header that does not fit its result, naming
    file and column.
    """
    began = time.monotonic()
    sources = questions() if sources is None else sorted(sources, key=position)
    if not sources:
        raise UsageError(f"there is no question in sql/{STAGE}", "add a SQL file")
    answers = [Answer(file, result, section(file, result)) for file, result in results(sources, queries, watch)]
    # Questions about the data itself go to the end: their answers are at the top already.
    answers.sort(key=lambda answer: answer.section.front is not None)
    facts = Facts(
        title=heading(settings.topic, "report"),
        made_at=datetime.datetime.now(datetime.UTC),
        seconds=time.monotonic() - began,
    )
    return written(settings.reports, answers, facts, as_notebook)


def results(
    sources: Sequence[SqlFile], queries: Sequence[Query], watch: Watch = iter
) -> Iterator[tuple[SqlFile, Result]]:
    """The result of every file in their order, as soon as it is there; each session runs one query at a time."""
    idle: SimpleQueue[Query] = SimpleQueue()
    for query in queries:
        idle.put(query)

    def run(file: SqlFile) -> Result:
        query = idle.get()
        try:
            return result_of(file, query)
        finally:
            idle.put(query)

    with ThreadPoolExecutor(len(queries)) as pool:
        yield from zip(watch(sources), pool.map(run, sources), strict=True)


def result_of(file: SqlFile, query: Query) -> Result:
    """The result of the file's one SELECT; an error names the file."""
    statements = file.statements()
    if len(statements) != 1:
        raise UsageError(f"{place(file)} holds {len(statements)} statements", "a report is exactly one question")
    try:
        return query(statements[0])
    except WarehouseError as error:
        raise type(error)(f"{place(file)}: {error.args[0]}", error.step, error.excerpt) from error


def written(folder: Path, answers: Sequence[Answer], facts: Facts, as_notebook: bool) -> Reported:
    """Write report.html, report.md, plots/*.svg and report.ipynb; plots of questions that are gone are removed."""
    sections = [answer.section for answer in answers]
    plots = {f"{each.name}.svg": alone(each.chart_svg) for each in sections if each.chart_svg}
    for name, svg in plots.items():
        write(folder / "plots" / name, svg)
    write(folder / "report.md", render_markdown(sections, facts))
    pages = {each.name: f"catalog/reports.{each.name}.html" for each in sections}
    described = {name: page for name, page in pages.items() if (folder / page).exists()}
    write(folder / "report.html", render_html(sections, facts, links(folder, "report.html"), described))
    for old in (folder / "plots").glob("*.svg"):
        if old.name not in plots:
            old.unlink()
    path = folder / "report.ipynb"
    if as_notebook:
        import nbformat

        from etl.report.notebook import notebook

        write(path, nbformat.writes(notebook(answers, facts.title)) + "\n")
    return Reported(folder / "report.html", folder / "report.md", sections, path if as_notebook else None)
