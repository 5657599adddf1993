"""Great Expectations' Data Docs of the last validations, a folder each: pages that ask for nothing else.

Great Expectations renders suites and results; its site builder is left out. That one's pages load styles, scripts and
pictures from six other hosts; it puts 4 MB beside each site, reads every result again that it keeps, and tells of an
error only in a log. A folder here never changes, so that twenty of them cost no more time than one.
"""

from __future__ import annotations

import contextlib
import copy
import html
import re
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from etl import pages as templates
from etl.pages.write import write
from etl.settings import Settings
from etl.validate.checkpoint import UNCHECKED, failure
from etl.validate.failing_rows import HIDDEN, told

KEPT = 20  # validations
ABOUT = "run.json"


class Run(msgspec.Struct, frozen=True):
    """A validation, as the list of all tells it."""

    run_id: str
    build_id: str
    validated_at: str
    expectations: int
    unmet: int
    critical: int


def folder(settings: Settings) -> Path:
    """Where the validations' folders lie."""
    return settings.reports / "data_docs"


@contextlib.contextmanager
def draft(settings: Settings, run_id: str) -> Iterator[Path]:
    """A folder for the pages of a validation, which appears under its name when all are written."""
    place = folder(settings)
    place.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(dir=place, prefix=f".{run_id}."))
    try:
        yield hidden
        hidden.chmod(0o755)
        hidden.replace(place / run_id)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def pages(place: Path, table: str, suite: Any, results: Any) -> None:
    """Write a table's two pages: what its suite expects, and what came of it."""
    from great_expectations.render.renderer.page_renderer import (
        ExpectationSuitePageRenderer,
        ValidationResultsPageRenderer,
    )

    shown = _shown(results)
    _write(place / f"{table}.html", ValidationResultsPageRenderer(run_info_at_end=True).render(shown), table)
    renderer: Any = ExpectationSuitePageRenderer()
    escaped = copy.deepcopy(suite)
    for one in escaped.expectations:
        one.description = html.escape(one.description, quote=False) if one.description else None
    _write(place / f"{table}.suite.html", renderer.render(escaped), table)


def _write(path: Path, document: Any, table: str) -> None:
    names = [section.section_name for section in document.sections]
    body = _view().render(document, template="sections.j2")
    # Great Expectations knows where the suite's page would lie in a site of its own.
    body = re.sub(r'href="(?:\.\./)+expectations/[^"]*"', f'href="{table}.suite.html"', body)
    # It says so of what was asked for as met or not met alone.
    body = re.sub(r"unknown % (?:not )?null", "--", body)
    write(path, templates.render("data_docs_page.html", facts={"title": table}, names=names, body=body))


@cache
def _view() -> Any:
    """Great Expectations' view of a page, with templates of ours before its own."""
    from great_expectations.render.view.view import DefaultJinjaPageView
    from jinja2 import ChoiceLoader, FileSystemLoader

    view = DefaultJinjaPageView()
    ours = FileSystemLoader(Path(templates.__file__).with_name("data_docs"))
    view.env.loader = ChoiceLoader([ours, *filter(None, [view.env.loader])])
    return view


def _shown(results: Any) -> Any:
    """A copy with nothing in it but what may be shown, and escaped where Great Expectations does not escape."""
    shown = copy.deepcopy(results)
    for one in shown.results:
        figures = {name: told(value) for name, value in (one.result or {}).items()}
        one.result = {name: value for name, value in figures.items() if value != HIDDEN or name == "observed_value"}
        if failure(one):  # a server's message may cite what it stumbled over
            words = f"it {UNCHECKED}, ops.expectation_results holds what the server said"
            one.exception_info = {"raised_exception": True, "exception_message": words, "exception_traceback": ""}
        if one.expectation_config.description:
            one.expectation_config.description = html.escape(one.expectation_config.description, quote=False)
    return shown


def keep(settings: Settings, run: Run) -> Path:
    """List the validation, forget those that are too old, and write the page that lists them; its path."""
    place = folder(settings)
    write(place / run.run_id / ABOUT, msgspec.json.encode(run).decode())
    runs = sorted(
        (msgspec.json.decode(path.read_bytes(), type=Run) for path in place.glob(f"*/{ABOUT}")),
        key=lambda one: one.run_id,
        reverse=True,
    )[:KEPT]
    write(
        place / "index.html", templates.render("data_docs.html", facts={"title": "Validations"}, runs=runs, kept=KEPT)
    )
    known = {one.run_id for one in runs} | {"index.html"}
    for old in place.iterdir():
        # A hidden one is the draft of a validation at work, or of one that was killed and is older than all kept.
        is_at_work = old.name.startswith(".") and (len(runs) < KEPT or old.name[1:] > runs[-1].run_id)
        if old.is_dir() and old.name not in known and not is_at_work:
            shutil.rmtree(old, ignore_errors=True)
    return place / "index.html"
