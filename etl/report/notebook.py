"""notebook: the questions of sql/4_reports/ as a Jupyter notebook that has been executed on the engine.

Its cells run the same files by the same modules as the report, so that who opens it can go on from there:

    answer, chart, headline = ask("headline")      # a sentence, a picture or None, a pandas DataFrame

The engine is asked once: what the cells found is kept for the pages, so that all three say the same.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from etl.errors import ExpectationError, ServerError, UsageError, WarehouseError
from etl.pages import Section, alone, fence, markdown
from etl.report.question import place, section, short, title
from etl.settings import PROJECT, Settings
from etl.sqlfile import SqlFile

if TYPE_CHECKING:
    import pandas

    from etl.report.report import Reported
    from etl.servers.hive import Hive

KEPT, PICKLED = "NOTEBOOK_KEEPS", ".section"
RAISED = {one.__name__: one for one in (ExpectationError, ServerError, UsageError)}
Answered = tuple[Any, Any, "pandas.DataFrame"]

INTRODUCTION = """\
# {title}

The questions of the report, asked by the project's own modules. Every table below is a pandas `DataFrame`
under the name of its question. To go on from here, open this file with the Python of the project's `.venv`; which
servers are asked is up to the settings, as for `./warehouse query`."""
# The project is found from where the notebook lies, which is somewhere in it unless the setting `home` says otherwise.
START = """\
import sys
from pathlib import Path

folders = [Path.cwd(), *Path.cwd().parents]
sys.path[:0] = [str(folder) for folder in folders if (folder / "warehouse.toml").exists()][:1]

from etl import settings
from etl.servers.hive import Hive
from etl.report.notebook import asking, framed

warehouse = Hive(settings.load())
ask = asking(warehouse)"""
FURTHER = """\
## A question of your own

Any SQL will do; `{table}` is one of the tables that the questions above read."""


def framed(warehouse: Hive, statement: str) -> pandas.DataFrame:
    """The rows of a statement as a DataFrame."""
    import pandas

    result = warehouse.query(statement)
    return pandas.DataFrame(result.rows, columns=result.columns)


def asking(warehouse: Hive) -> Callable[[str], Answered]:
    """What asks a question by its name: the answer in a sentence, its chart if it has one, and all rows."""
    import pandas
    from IPython.display import SVG, Markdown

    from etl.report import report

    known = {short(file): file for file in report.questions()}
    pandas.set_option("display.html.use_mathjax", False)  # text between two dollar signs is no formula

    def ask(name: str) -> Answered:
        result = report.ask(known[name], warehouse.query)
        found = section(known[name], result)
        if folder := os.environ.get(KEPT):
            (Path(folder) / f"{name}{PICKLED}").write_bytes(pickle.dumps(found))
        chart = SVG(alone(found.chart_svg)) if found.chart_svg else None
        answer = Markdown(f"**{markdown(found.sentence)}**")
        return answer, chart, pandas.DataFrame(result.rows, columns=list(result.columns))

    return ask


def written(sources: Sequence[SqlFile], name: str) -> Any:
    """The notebook of these questions, not executed yet; a cell is named by its question, so that two are alike."""
    from nbformat import v4

    notebook = v4.new_notebook()
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}

    def add(kind: Callable[..., Any], text: str, identity: str) -> None:
        notebook.cells.append(kind(text, id=identity))

    add(v4.new_markdown_cell, INTRODUCTION.format(title=markdown(name)), "introduction")
    add(v4.new_code_cell, START, "start")
    for file in sources:
        add(v4.new_markdown_cell, described(file), f"{short(file)}-question"[-64:])
        add(v4.new_code_cell, asked(file), f"{short(file)}-answer"[-64:])
    table = next(table for file in sources for table in file.reads)
    add(v4.new_markdown_cell, FURTHER.format(table=table), "further")
    add(v4.new_code_cell, f'framed(warehouse, "SELECT * FROM {table} LIMIT 5")', "further-answer")  # noqa: S608
    return notebook


def described(file: SqlFile) -> str:
    """The question, what it assumes, and its SQL."""
    text = file.text.strip()
    return (
        f"## {markdown(title(file))}\n\n*Assumptions:* {markdown(file.header.get('Assumes', ''))}\n\n"
        f"<details>\n<summary>SQL: {place(file)}</summary>\n\n{fence(text)}sql\n{text}\n{fence(text)}\n\n</details>"
    )


def asked(file: SqlFile) -> str:
    """The cell that asks; a chart is shown where the file asks for one."""
    name = short(file)
    if file.header.get("Chart", "none") == "none":
        return f'answer, _, {name} = ask("{name}")\ndisplay(answer, {name})'
    return f'answer, chart, {name} = ask("{name}")\ndisplay(answer, chart, {name})'


def executed(notebook: Any, settings: Settings, folder: str) -> Any:
    """Run all cells in a kernel of this Python, which ends with it and no other machine can reach; `folder` is its own.

    Raises what the cell raises where that is an error of this project, WarehouseError for any other.
    """
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    manager = AsyncKernelManager(
        transport="ipc",  # sockets in a folder that is only ours
        connection_file=str(Path(folder) / "k.json"),
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),  # this very Python, whatever a user has set up
    )
    client = NotebookClient(
        notebook, km=manager, timeout=None, record_timing=False, ipython_hist_file=":memory:",
        resources={"metadata": {"path": str(PROJECT)}},
    )  # fmt: skip
    try:
        return client.execute(env=environment(settings, folder), cleanup_kc=True)
    except CellExecutionError as error:
        raise RAISED.get(error.ename, WarehouseError)(f"a cell of the notebook failed: {error.evalue}") from error
    except (DeadKernelError, RuntimeError, OSError) as error:
        raise WarehouseError(f"the kernel of the notebook failed: {error}", "give --no-notebook") from error


def environment(settings: Settings, folder: str) -> dict[str, str]:
    """The variables of the kernel: the settings as they are, and nothing of the user's own notebooks."""

    def text(value: Any) -> str:
        if isinstance(value, SecretStr):
            return value.get_secret_value()
        return json.dumps(value) if isinstance(value, dict | bool) else str(value)

    given = {name: getattr(settings, name) for name in type(settings).model_fields}
    told = {f"WAREHOUSE_{name.upper()}": text(value) for name, value in given.items() if value is not None}
    return {**os.environ, **told, "IPYTHONDIR": folder, "JUPYTER_CONFIG_DIR": folder, KEPT: folder}


def report(settings: Settings) -> Reported:
    """Execute the notebook and write it, and the pages from what its cells found."""
    import nbformat

    from etl.pages.write import write
    from etl.report.report import assembled, heading, questions

    began = time.monotonic()
    sources = questions()
    with tempfile.TemporaryDirectory(prefix="kernel") as folder:
        notebook = executed(written(sources, heading(settings)), settings, folder)
        kept = [(Path(folder) / f"{short(file)}{PICKLED}").read_bytes() for file in sources]
    path = settings.reports / "report.ipynb"
    write(path, nbformat.writes(notebook) + "\n")
    sections: list[Section] = [pickle.loads(one) for one in kept]  # noqa: S301 (our kernel wrote it, into our folder)
    return dataclasses.replace(assembled(settings, sections, began), notebook=path)
