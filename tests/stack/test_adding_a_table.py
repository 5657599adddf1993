"""docs/adding_a_table.md, followed."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import Run

from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import PROJECT, Settings
from etl.store.ledger import Ledger

NEW = PROJECT / "docs/adding_a_table.md"


def typed() -> list[tuple[str, str]]:
    """(command, what it prints) of the page's console blocks."""
    blocks = "".join(re.findall(r"```console\n(.*?)```", NEW.read_text(encoding="utf-8"), re.DOTALL))
    return [(block.partition("\n")[0], block.partition("\n")[2]) for block in re.split(r"^\$ ", blocks, flags=re.M)[1:]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, as a new user has it, with the two files of the page."""
    skipped = shutil.ignore_patterns(".git", ".venv", ".warehouse", ".*_cache", "__pycache__")
    folder = Path(shutil.copytree(PROJECT, tmp_path / "project", ignore=skipped))
    text = NEW.read_text(encoding="utf-8")
    names = re.findall(r"`((?:sql|expectations)/3_marts/months_v1[./][\w.]+)`", text)
    blocks = re.findall(r"```(?:sql|json)\n(.*?)```", text, re.DOTALL)
    for name, content in zip(names, blocks, strict=True):
        assert not (folder / name).exists()
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def warehouse(project: Path, settings: Settings, *words: str) -> str:
    """What the copy's ./warehouse prints on the session's stack."""
    given = {**os.environ, "WAREHOUSE_HOME": str(settings.home), "WAREHOUSE_VENV": sys.prefix, "PYTHONPATH": ""}
    command = [str(project / "warehouse"), *words]
    done = subprocess.run(command, cwd=project, env=given, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_page_keeps_the_rules_that_it_sends_the_reader_to(project: Path) -> None:
    """But for the one that loads Great Expectations, which takes seconds: the build below does that, too."""
    (rules,) = [command for command, _ in typed() if " test " in command]
    _, verb, *words = shlex.split(rules)
    assert words[-2:] == ["-k", "months"]
    words[-1] += " and not great_expectations"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    given = {**os.environ, "PYTHONPATH": str(project)}
    done = subprocess.run(command, cwd=project, env=given, capture_output=True, text=True, check=False)
    assert verb == "test" and done.returncode == 0, done.stdout
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) >= 15, done.stdout
    wrong = project / "sql/3_marts/months_v1.sql"
    wrong.write_text(wrong.read_text().replace("COMMENT 'Attempts started in that month'", ""))
    short = [*command[:-1], "months and comment"]
    done = subprocess.run(short, cwd=project, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "have_a_comment" in done.stdout, "a column without a comment is named"


def test_who_follows_the_page_has_the_table(project: Path, settings: Settings, built: str, run: Run) -> None:
    assert built
    hdfs = Hdfs(settings)
    before = Ledger(hdfs).state().published
    try:
        for command, output in typed():
            _, *words = shlex.split(command)
            if words[0] != "test":
                printed = warehouse(project, settings, *words)
                assert not output or printed == output
        assert "marts.months_v1" in warehouse(project, settings, "plan")
        assert json.loads(run("query", "SELECT COUNT(*) AS months FROM marts.months", "--json").stdout) == [
            {"months": 3}
        ]
    finally:  # the other tests know nothing of this table
        if Ledger(hdfs).state().published != before:
            warehouse(project, settings, "rollback")
        with Hive(settings) as hive:
            hive.query("DROP VIEW IF EXISTS marts.months")
            hive.query("DROP VIEW IF EXISTS candidate.months")
            hive.query("DROP TABLE IF EXISTS marts.months_v1")
        hdfs.remove("marts", "months_v1")
    assert json.loads(run("build", "--json").stdout) == {"release": None}
