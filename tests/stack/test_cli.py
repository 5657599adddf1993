"""The command line with servers behind it: every example of the help runs, and errors are reported in one line."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.main

from etl import cli
from etl.settings import PROJECT, Settings

Run = Callable[..., "subprocess.CompletedProcess[str]"]

COMMANDS = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]


def error_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line of an error."""
    assert done.returncode == code and done.stdout == "", (done.returncode, done.stdout, done.stderr)
    (line,) = done.stderr.splitlines()
    assert line.startswith("warehouse: ") and "Traceback" not in line and "unexpected" not in line, line
    return line


def test_an_unknown_table_is_named(run: Run) -> None:
    done = run("query", "SELECT * FROM flat.nothing", code=1)
    assert "there is no table or view flat.nothing" in done.stderr and "Traceback" not in done.stderr


def test_a_mistake_in_sql_is_one_line_and_its_place(run: Run) -> None:
    line, statement, caret = run("query", "SELECT 1\nFORM x", code=1).stderr.splitlines()
    assert "SELECT 1 FORM x" in line and "syntax" in line.lower()
    assert statement == "   2 | FORM x" and caret.endswith("^")


def test_a_topic_that_is_not_there_is_named(run: Run) -> None:
    line = error_line(run("--set", "topic=of-nobody", "land", code=1), 1)
    assert "topic of-nobody" in line and "publish to it first" in line


def example(name: str) -> str:
    """The example in a command's help."""
    match = re.fullmatch(r"Example: (\./warehouse .+)", COMMANDS[name].epilog or "")
    assert match, name
    return match[1]


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("name", ["up", "status", "doctor", "generate", "rejected", "plan", "query", "beeline"])
def test_an_example_runs(name: str, run: Run) -> None:
    done = run(*shlex.split(example(name))[1:])
    if name == "generate":
        assert len([json.loads(line) for line in done.stdout.splitlines()]) == 5


CHANGING = "publish land replay build validate report rollback clean run demo test down"


@pytest.mark.long
@pytest.mark.usefixtures("unlanded")
@pytest.mark.parametrize("name", CHANGING.split())
def test_an_example_that_changes_something_or_takes_long_runs(name: str, settings: Settings, tmp_path: Path) -> None:
    """In this order, as a shell takes them; what is published goes to a topic of its own, and `down` to no stack."""
    home = tmp_path if name == "down" else settings.home
    given = {**os.environ, "WAREHOUSE_HOME": str(home), "WAREHOUSE_VENV": sys.prefix}
    if name == "publish":
        given["WAREHOUSE_TOPIC"] = "of-the-examples"
    done = subprocess.run(["sh", "-c", example(name)], cwd=PROJECT, env=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.usefixtures("built")
def test_what_programs_read_is_json(run: Run) -> None:
    steps = json.loads(run("plan", "--json").stdout)["steps"]
    assert {"table": "flat.messages_v1", "action": "keep", "why": ""} in steps
    landed = json.loads(run("land", "--json").stdout)
    assert landed == {"accepted": 0, "rejected": 0, "landing": {"landing": 0, "partitions": []}}
    assert json.loads(run("build", "--json").stdout) == {"release": None}
    assert json.loads(run("query", "SELECT COUNT(*) AS n FROM ops.published", "--json").stdout) == [{"n": 1}]
    assert isinstance(json.loads(run("rejected", "--json").stdout), list)
    cleaned = json.loads(run("clean", "--json").stdout)
    assert cleaned["is_removed"] is False and cleaned["bytes"] == sum(path["bytes"] for path in cleaned["paths"])
