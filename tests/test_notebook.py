"""notebook: the answers of a report as cells with their output, and the same cells run in plain Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from question_rows import rows_of

from etl import settings
from etl.errors import UsageError
from etl.report.notebook import Picture, Questions, Sentence
from etl.report.report import questions, report
from etl.servers import hive
from etl.settings import PROJECT, load
from etl.sqlfile import SqlFile

RESULTS = {file.statements()[0]: rows_of(file) for file in questions()}


class Warehouse:
    """A session that has the rows made by hand, and counts its queries."""

    def __init__(self, *_: object) -> None:
        self.queries: list[str] = []

    def query(self, statement: str) -> hive.Result:
        self.queries.append(statement)
        return RESULTS.get(statement) or hive.Result(["attempt_id"], [("a",)])


def written(home: Path, warehouse: Warehouse) -> Any:
    done = report(load(home=home), [warehouse.query], as_notebook=True)
    assert done.notebook
    return nbformat.read(done.notebook, as_version=4)


def test_each_question_is_one_query_for_page_and_notebook_together(tmp_path: Path) -> None:
    warehouse = Warehouse()
    written(tmp_path, warehouse)
    assert sorted(warehouse.queries) == sorted(RESULTS)


def test_the_notebook_has_every_question_with_its_sql_and_its_answer(tmp_path: Path) -> None:
    notebook = written(tmp_path, Warehouse())
    nbformat.validate(notebook)
    cells = {cell.id: cell for cell in notebook.cells}
    for file in questions():
        name = file.path.stem
        assert file.text.strip() in cells[f"{name}-question"].source
        answer = cells[f"{name}-answer"]
        assert f'questions.answer("{name}")' in answer.source
        kinds = [set(output.data) - {"text/plain"} for output in answer.outputs]
        drawn = [{"image/svg+xml"}] if not file.header["Chart"].startswith("none") else []
        assert kinds == [{"text/markdown"}, *drawn, {"text/html"}]
    assert str(PROJECT) not in nbformat.writes(notebook) and str(tmp_path) not in nbformat.writes(notebook)


def test_running_its_cells_shows_what_the_notebook_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = written(tmp_path, Warehouse())
    displayed: list[Any] = []
    monkeypatch.setattr(hive, "Hive", Warehouse)
    monkeypatch.setattr(settings, "load", lambda: load(home=tmp_path))
    names: dict[str, Any] = {"display": lambda *values: displayed.extend(values)}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            exec(cell.source, names)  # noqa: S102 (the project's own cells)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [repr(value) for value in displayed] == [output.data["text/plain"] for output in outputs]
    assert list(names["headline"].columns) == RESULTS[file_of("headline").statements()[0]].columns


def file_of(name: str) -> SqlFile:
    return next(file for file in questions() if file.path.stem == name)


def test_jupyter_displays_a_sentence_as_markdown_and_a_chart_as_svg() -> None:
    assert Sentence("a *b*")._repr_markdown_() == r"**a \*b\***"
    assert Picture("<svg/>")._repr_svg_() == "<svg/>"


def test_a_question_that_no_file_has_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no question nonsense; use one of headline"):
        Questions(Warehouse()).answer("nonsense")  # type: ignore[arg-type]
