"""notebook: cells from SQL files, executed in a real kernel that only this machine can reach. No server is asked."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbformat import v4

from etl.errors import UsageError, WarehouseError
from etl.report.notebook import executed, written
from etl.report.report import questions
from etl.settings import PROJECT, load

WHERE = """
import json, os, sys, psutil
from etl import settings
me = psutil.Process()
print(json.dumps({
    "listens": [one.laddr.ip for one in me.net_connections("inet") if one.status == "LISTEN"],
    "topic": settings.load().topic, "password": settings.load().password(), "python": sys.executable, "pid": me.pid,
}))
"""


def run_in_kernel(tmp_path: Path, source: str, **flags: Any) -> dict[str, Any]:
    """What a cell printed as JSON."""
    notebook = v4.new_notebook(cells=[v4.new_code_cell(source)])
    executed(notebook, load(home=tmp_path, **flags), str(tmp_path))
    (output,) = notebook.cells[0].outputs
    found: dict[str, Any] = json.loads(output.text)
    return found


def test_the_kernel_has_the_settings_and_listens_to_this_machine_alone(tmp_path: Path) -> None:
    found = run_in_kernel(tmp_path, WHERE, topic="exams", hive_password="s3cret")  # noqa: S106
    assert (found["topic"], found["password"]) == ("exams", "s3cret")
    assert set(found["listens"]) <= {"127.0.0.1"}  # ipykernel's own pipe
    assert not psutil.pid_exists(found["pid"])


@pytest.mark.parametrize(
    ("source", "kind", "said"),
    [
        ("from etl.errors import UsageError\nraise UsageError('it lacks a column', 'add it')", UsageError, "add it"),
        ("1 / 0", WarehouseError, "division by zero"),
    ],
)
def test_a_cell_that_fails_is_one_line_of_its_kind(
    tmp_path: Path, source: str, kind: type[WarehouseError], said: str
) -> None:
    with pytest.raises(kind, match=said) as caught:
        run_in_kernel(tmp_path, source)
    assert type(caught.value) is kind and "\n" not in str(caught.value)


def test_the_notebook_asks_every_question_and_shows_its_sql() -> None:
    notebook = written(questions(), "Exams <report>")
    nbformat.validate(notebook)
    assert [cell.id for cell in notebook.cells] == [cell.id for cell in written(questions(), "x").cells]
    text = "\n".join(cell.source for cell in notebook.cells)
    for file in questions():
        assert file.text.strip() in text and f"sql/4_reports/{file.path.name}" in text
        assert f'ask("{file.path.stem}")' in text
    assert "# Exams &lt;report&gt;" in text and str(PROJECT) not in text
    for cell in notebook.cells:
        if cell.cell_type == "code":
            ast.parse(cell.source)
