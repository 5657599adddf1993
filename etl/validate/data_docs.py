"""Great Expectations' Data Docs of the last validations, a folder each: pages that load nothing from elsewhere.

Great Expectations renders suites and results; its site builder is left out. That one's pages load styles, scripts and
pictures from six other hosts; it puts 4 MB beside each site, reads every stored result again, and reports an error
only in a log. A folder here never changes, so that twenty of them cost no more time than one.
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
from etl.pages.links import DATA_DOCS, START, VALIDATION, links, to
from etl.pages.write import write
from etl.settings import Settings
from etl.validate.failing_rows import HIDDEN, redact
from etl.validate.run_suite import BATCH, UNCHECKED, failure

KEPT = 20  # validations
ABOUT = "run.json"
LINKS = to("data_docs/RUN/PAGE.html", START, VALIDATION, DATA_DOCS)  # all that a page of a kept validation can rely on


class Run(msgspec.Struct, frozen=True):
    """A validation, as the list of all shows it."""

    run_id: str
    release: int
    landing: int
    validated_at: str
    expectations: int
    unmet: int
    critical: int


def folder(settings: Settings) -> Path:
    """The folder of the validations' folders."""
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
    """Write a table's two pages: its suite, and the results of it."""
    from great_expectations.render.renderer.page_renderer import (
        ExpectationSuitePageRenderer,
        ValidationResultsPageRenderer,
    )

    redacted = _redacted(results)
    _write(place / f"{table}.html", ValidationResultsPageRenderer(run_info_at_end=True).render(redacted), table)
    renderer: Any = ExpectationSuitePageRenderer()
    escaped = copy.deepcopy(suite)
    for rule in escaped.expectations:
        rule.description = html.escape(rule.description, quote=False) if rule.description else None
    _write(place / f"{table}.suite.html", renderer.render(escaped), table)


def _write(path: Path, document: Any, table: str) -> None:
    names = [section.section_name for section in document.sections]
    body = _view().render(document, template="sections.j2")
    # Great Expectations links to the place of the suite's page in a site of its own.
    body = re.sub(r'href="(?:\.\./)+expectations/[^"]*"', f'href="{table}.suite.html"', body)
    body = re.sub(rf"\s*{re.escape(BATCH.strip())}", "", body)
    # It writes this where it only counted.
    body = re.sub(r"unknown % (?:not )?null", "--", body)
    write(path, templates.render("data_docs_page.html", facts={"title": table}, links=LINKS, names=names, body=body))


@cache
def _view() -> Any:
    """Great Expectations' view of a page, with templates of ours before its own."""
    from great_expectations.render.view.view import DefaultJinjaPageView
    from jinja2 import ChoiceLoader, FileSystemLoader

    view = DefaultJinjaPageView()
    ours = FileSystemLoader(Path(templates.__file__).with_name("data_docs"))
    view.env.loader = ChoiceLoader([ours, *filter(None, [view.env.loader])])
    return view


def _redacted(results: Any) -> Any:
    """A copy that holds nothing that could be personal, escaped where Great Expectations does not escape."""
    redacted = copy.deepcopy(results)
    for result in redacted.results:
        figures = {name: redact(value) for name, value in (result.result or {}).items()}
        result.result = {name: value for name, value in figures.items() if value != HIDDEN or name == "observed_value"}
        if failure(result):  # a server's message may cite a value of the data
            words = f"it {UNCHECKED}, ops.expectation_results holds the server's answer"
            result.exception_info = {"raised_exception": True, "exception_message": words, "exception_traceback": ""}
        if result.expectation_config.description:
            result.expectation_config.description = html.escape(result.expectation_config.description, quote=False)
    return redacted


def keep(settings: Settings, run: Run) -> Path:
    """Add a validation to the list, remove those that are too old, and write the page that lists them; its path."""
    place = folder(settings)
    write(place / run.run_id / ABOUT, msgspec.json.encode(run).decode())
    runs = sorted(_runs(place), key=lambda run: run.run_id, reverse=True)[:KEPT]
    values = {
        "facts": {"title": "Data Docs"},
        "links": links(settings.reports, DATA_DOCS),
        "runs": runs,
        "kept": KEPT,
    }
    write(place / "index.html", templates.render("data_docs.html", **values))
    listed = {run.run_id for run in runs} | {"index.html"}
    for old in place.iterdir():
        # A hidden folder is the draft of a running validation, or of a killed one that is older than all kept.
        is_running = old.name.startswith(".") and (len(runs) < KEPT or old.name[1:] > runs[-1].run_id)
        if old.is_dir() and old.name not in listed and not is_running:
            shutil.rmtree(old, ignore_errors=True)
    return place / "index.html"


def _runs(place: Path) -> Iterator[Run]:
    """The validations in the folder, without those of an earlier version of this file or that are just removed."""
    for path in place.glob(f"*/{ABOUT}"):
        with contextlib.suppress(msgspec.DecodeError, FileNotFoundError):
            yield msgspec.json.decode(path.read_bytes(), type=Run)
