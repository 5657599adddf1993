"""The report as a Jupyter notebook, written from its answers: no kernel runs, and nothing is queried again.

Its cells answer the same questions by the same modules, so that a reader can continue from there:

    answer, chart, headline = questions.answer("headline")  # a sentence, a picture or None, a pandas DataFrame
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl.errors import UsageError
from etl.pages import Section
from etl.pages.colours import alone
from etl.pages.words import fence, markdown
from etl.report.question import Result, place, section, short, title
from etl.sqlfile import SqlFile

if TYPE_CHECKING:
    import pandas

    from etl.report.report import Answer
    from etl.servers.hive import Hive

INTRODUCTION = """\
# {title}

The answers of the report. Every table below is a pandas `DataFrame` under the name of its question. Charts show once
the notebook is trusted or has been run.

To continue from here, open this file in Jupyter with the Python of the project's `.venv` as its kernel
(`.venv/bin/pip install ipykernel`, once). It queries the servers of the settings, as `./warehouse query` does."""
# The notebook searches its parent folders for the project, where it is unless the setting `home` says otherwise.
START = """\
import sys
from pathlib import Path

folders = [Path.cwd(), *Path.cwd().parents]
sys.path[:0] = [str(folder) for folder in folders if (folder / "warehouse.toml").exists()][:1]

from etl import settings
from etl.report.notebook import Questions, frame
from etl.servers.hive import Hive

warehouse = Hive(settings.load())
questions = Questions(warehouse)"""
FURTHER = """\
## A question of your own

Any SQL will do; `{table}` is one of the tables that the questions above read."""


@dataclass(frozen=True)
class Sentence:
    """An answer in words; Jupyter shows it as Markdown."""

    text: str

    def _repr_markdown_(self) -> str:
        return f"**{markdown(self.text)}**"


@dataclass(frozen=True)
class Picture:
    """A chart; Jupyter shows it as SVG."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return "a chart"


CellValues = tuple[Sentence, Picture | None, "pandas.DataFrame"]


class Questions:
    """The questions of sql/4_reports, answered by the servers that a session is connected to."""

    def __init__(self, warehouse: Hive) -> None:
        from etl.report import report

        self._query = warehouse.query
        self._files = {short(file): file for file in report.questions()}

    def answer(self, name: str) -> CellValues:
        """Answer a question by its name: a sentence, its chart if it has one, and all rows.

        Raises UsageError for a name that no file has, and what the server raises.
        """
        from etl.report import report

        if name not in self._files:
            raise UsageError(f"there is no question {name}", f"use one of {', '.join(self._files)}")
        file = self._files[name]
        result = report.result_of(file, self._query)
        return cell_values(section(file, result), result)


def frame(result: Result) -> pandas.DataFrame:
    """The rows of a result as a DataFrame."""
    import pandas

    pandas.set_option("display.html.use_mathjax", False)  # text between two dollar signs is no formula
    return pandas.DataFrame(result.rows, columns=list(result.columns))


def cell_values(answered: Section, result: Result) -> CellValues:
    """The three values that a cell displays."""
    chart = Picture(alone(answered.chart_svg)) if answered.chart_svg else None
    return Sentence(answered.sentence), chart, frame(result)


def notebook(answers: Sequence[Answer], name: str) -> Any:
    """The notebook of these answers; cells are named by their question, so that two notebooks can be compared."""
    from nbformat import v4

    cells = [v4.new_markdown_cell(INTRODUCTION.format(title=markdown(name)), id="introduction")]
    cells.append(v4.new_code_cell(START, id="start"))
    for answer in answers:
        identity = short(answer.file)
        cells.append(v4.new_markdown_cell(described(answer.file), id=f"{identity}-question"[-64:]))
        values = [value for value in cell_values(answer.section, answer.result) if value is not None]
        outputs = [v4.new_output("display_data", data=representations(value)) for value in values]
        cells.append(v4.new_code_cell(code(answer.file), id=f"{identity}-answer"[-64:], outputs=outputs))
    table = next((table for answer in answers for table in answer.file.reads), "flat.attempts")
    cells.append(v4.new_markdown_cell(FURTHER.format(table=table), id="further"))
    text = f'frame(warehouse.query("SELECT * FROM {table} LIMIT 5"))'  # noqa: S608
    cells.append(v4.new_code_cell(text, id="further-answer"))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def described(file: SqlFile) -> str:
    """The question, its assumptions, and its SQL."""
    text = file.text.strip()
    return (
        f"## {markdown(title(file))}\n\n*Assumptions:* {markdown(file.header.get('Assumes', ''))}\n\n"
        f"<details>\n<summary>SQL: {place(file)}</summary>\n\n{fence(text)}sql\n{text}\n{fence(text)}\n\n</details>"
    )


def code(file: SqlFile) -> str:
    """The code of the cell that answers; a chart is displayed where the file has one."""
    name = short(file)
    if file.header.get("Chart", "none") == "none":
        return f'answer, _, {name} = questions.answer("{name}")\ndisplay(answer, {name})'
    return f'answer, chart, {name} = questions.answer("{name}")\ndisplay(answer, chart, {name})'


def representations(value: Any) -> dict[str, str]:
    """A value by media type, as Jupyter would display it."""
    methods = {"text/markdown": "_repr_markdown_", "image/svg+xml": "_repr_svg_", "text/html": "_repr_html_"}
    rich: dict[str, Callable[[], str]] = {
        kind: getattr(value, method) for kind, method in methods.items() if hasattr(value, method)
    }
    return {"text/plain": repr(value)} | {kind: method() for kind, method in rich.items()}
