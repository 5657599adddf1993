"""The pages in docs/: what they tell a reader to type works, and every link leads somewhere."""

from __future__ import annotations

import csv
import re
import shlex
from collections import Counter
from pathlib import Path

import pytest
import typer.main

from etl.cli import app
from etl.settings import PROJECT, Settings

PAGES = sorted([PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")])
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


def without_code(text: str) -> str:
    """A page without its code, in which brackets are no links."""
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def places(text: str) -> set[str]:
    """The names by which the headings of a page are reached, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    dead = []
    for match in LINK.finditer(without_code(page.read_text(encoding="utf-8"))):
        link = match[1] or match[2]
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
    commands = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    commands |= {str(group.name) for group in app.registered_groups}
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
    for line in re.findall(r"\./warehouse (?:\"[^\"\n]*\"|[^|&;>\n\"])+", "".join(blocks).replace("\\\n", " ")):
        words = shlex.split(line, comments=True)[1:]
        with group.make_context("./warehouse", list(words)) as context:
            _, command, rest = group.resolve_command(context, context._protected_args + context.args)  # type: ignore[attr-defined]
            assert command is not None
            command.make_context(words[0], rest)


def test_the_page_on_reliability_names_only_tests_that_exist() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (PROJECT / "tests").rglob("test_*.py"))
    defined = Counter(re.findall(r"^def (test_\w+)\(", sources, re.MULTILINE))
    named = set(re.findall(r"`(test_\w+)`", (PROJECT / "docs/reliability.md").read_text(encoding="utf-8")))
    assert len(named) > 50 and {name: defined[name] for name in named if defined[name] != 1} == {}


def test_the_page_on_the_data_tells_the_published_figures_and_how_many_tell_them() -> None:
    page = (PROJECT / "docs/data.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (\d+) \|", page, re.MULTILINE)
    with (PROJECT / "sample/published_figures.csv").open(encoding="utf-8", newline="") as file:
        figures = {row["figure"]: row["value"] for row in csv.DictReader(file)}
    assert len(rows) > 20 and {name: value for name, value, _ in rows}.items() <= figures.items()
    source = PROJECT.parent / "shared/dataset/published_figures.csv"
    if not source.exists():
        pytest.skip("the reports were counted in ../shared/dataset, which is not here")
    with source.open(encoding="utf-8", newline="") as file:
        counted = {row["figure"]: row["reports"] for row in csv.DictReader(file)}
    assert {name: reports for name, _, reports in rows}.items() <= counted.items()


def test_the_page_of_tests_names_each_long_part() -> None:
    named = re.findall(r"^\| (`.*?) \|", (PROJECT / "docs" / "testing.md").read_text(encoding="utf-8"), re.MULTILINE)
    marked = {
        match[1] or path.stem.removeprefix("test_")
        for path in (PROJECT / "tests").rglob("test_*.py")
        for match in re.finditer(r'\bmark\.long\b(?:\("(\w+)"\))?', path.read_text(encoding="utf-8"))
    }
    assert set(re.findall(r"`(\w+)`", " ".join(named))) == marked
