"""The pages in docs/: what they tell a reader to type works, and every link leads somewhere."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from commands import Run

from etl.cli import app
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import PROJECT, Settings
from etl.store.ledger import Ledger

PAGES = sorted([PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")])
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
NEW = PROJECT / "docs/adding_a_table.md"


def without_code(text: str) -> str:
    """A page without its code, in which brackets are no links."""
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def places(text: str) -> set[str]:
    """The names by which the headings of a page are reached, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    dead = []
    for found in LINK.finditer(without_code(page.read_text(encoding="utf-8"))):
        link = found[1] or found[2]
        if "://" in link:
            continue
        path, _, place = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (place and place not in places(target.read_text(encoding="utf-8"))):
            dead.append(link)
    assert not dead


def test_the_readme_leads_to_every_page() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert not [page.name for page in PAGES if page.parent != PROJECT and f"](docs/{page.name})" not in readme]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_only_commands_and_settings_that_exist(page: Path) -> None:
    commands = {one.name or getattr(one.callback, "__name__", "") for one in app.registered_commands}
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"\./warehouse (?:--debug |--set \S+ )*([a-z]+)\b", text)) - {"COMMAND"}
    assert named <= commands, named - commands
    variables = {f"WAREHOUSE_{name.upper()}" for name in Settings.model_fields} | {"WAREHOUSE_VENV", "WAREHOUSE_PYTHON"}
    assert not set(re.findall(r"\bWAREHOUSE_[A-Z_0-9]+\b(?!\*)", text)) - variables - {"WAREHOUSE_"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_tells_to_type_parses(page: Path) -> None:
    """Its options and arguments are those of the commands; what is typed is not run here."""
    group = typer.main.get_command(app)
    blocks = re.findall(r"```(?:console|sh)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for line in re.findall(r"\./warehouse [^|&;>\n]+", "".join(blocks).replace("\\\n", " ")):
        words = shlex.split(line, comments=True)[1:]
        with group.make_context("./warehouse", list(words)) as context:
            _, command, rest = group.resolve_command(context, context._protected_args + context.args)  # type: ignore[attr-defined]
            assert command is not None
            command.make_context(words[0], rest)


def test_the_page_on_the_data_tells_the_published_figures_and_how_many_tell_them() -> None:
    page = (PROJECT / "docs/data.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (\d+) \|", page, re.MULTILINE)
    with (PROJECT / "sample/published_figures.csv").open(encoding="utf-8", newline="") as file:
        known = {row["figure"]: row["value"] for row in csv.DictReader(file)}
    assert len(rows) > 20 and {name: value for name, value, _ in rows}.items() <= known.items()
    source = PROJECT.parent / "shared/dataset/published_figures.csv"
    if not source.exists():
        pytest.skip("the reports were counted in ../shared/dataset, which is not here")
    with source.open(encoding="utf-8", newline="") as file:
        counted = {row["figure"]: row["reports"] for row in csv.DictReader(file)}
    assert {name: reports for name, _, reports in rows}.items() <= counted.items()


# docs/adding_a_table.md, followed


def block(language: str) -> str:
    """The one block of code of a language on that page."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", NEW.read_text(encoding="utf-8"), re.DOTALL)
    return str(found)


def typed() -> list[tuple[str, str]]:
    """(command, what it prints) of the page's console blocks."""
    blocks = "".join(re.findall(r"```console\n(.*?)```", NEW.read_text(encoding="utf-8"), re.DOTALL))
    return [(one.partition("\n")[0], one.partition("\n")[2]) for one in re.split(r"^\$ ", blocks, flags=re.M)[1:]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, as a new user has it, with the two files of the page."""
    skipped = shutil.ignore_patterns(".git", ".venv", ".warehouse", ".*_cache", "__pycache__")
    folder = Path(shutil.copytree(PROJECT, tmp_path / "project", ignore=skipped))
    for language, name in (("sql", "sql/3_marts/months_v1.sql"), ("json", "expectations/3_marts/months_v1.json")):
        assert f"`{name}`" in NEW.read_text(encoding="utf-8") and not (folder / name).exists()
        (folder / name).write_text(block(language), encoding="utf-8")
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
    """The other suites are left out, so that the build takes seconds: they judge in other modules."""
    assert built
    for suite in (project / "expectations").glob("*/*.json"):
        if suite.name != "months_v1.json":
            suite.unlink()
    hdfs = Hdfs(settings)
    before = Ledger(hdfs).published()
    try:
        for command, output in typed():
            _, *words = shlex.split(command)
            if words[0] != "test":
                printed = warehouse(project, settings, *words)
                assert not output or printed == output
        assert "marts.months            keep" in warehouse(project, settings, "plan")
        assert json.loads(run("query", "SELECT COUNT(*) AS months FROM marts.months", "--json").stdout) == [
            {"months": 3}
        ]
    finally:  # the other tests know nothing of this table
        if Ledger(hdfs).published() != before:
            warehouse(project, settings, "rollback")
        with Hive(settings) as hive:
            hive.query("DROP VIEW IF EXISTS marts.months")
            hive.query("DROP TABLE IF EXISTS marts.months_v1")
        hdfs.remove("marts", "months_v1")
    assert json.loads(run("build", "--json").stdout) == {"build_id": None}
