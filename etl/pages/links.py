"""The pages of the warehouse, and the links from each page to the others that exist."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

START = "index.html"
CATALOG, VALIDATION, DATA_DOCS = "catalog/index.html", "validation.html", "data_docs/index.html"


class Page(NamedTuple):
    """A page that the start page leads to: its path below the reports, and the command that writes it."""

    path: str
    name: str
    description: str
    command: str


PAGES = (
    Page("report.html", "Report", "Every question, answered with its chart, its table and its SQL.", "report"),
    Page("report.md", "Report as Markdown", "The same as text, with the plots beside it.", "report"),
    Page("report.ipynb", "Report as a notebook", "The same, to build on: change a query and run it again.", "report"),
    Page(VALIDATION, "Validation", "Every expectation of the last validation, the worst first.", "validate"),
    Page(DATA_DOCS, "Data Docs", "Great Expectations' own pages of its suites and runs.", "validate"),
    Page(CATALOG, "Catalog", "Every table and column: its meaning and its sources.", "docs"),
)


class Link(NamedTuple):
    """A link from one page to another, relative to the first."""

    href: str
    name: str


def links(reports: Path, here: str) -> list[Link]:
    """Links from the page at the path `here`: to the start page, and to every other HTML page that exists."""
    paths = [page.path for page in PAGES if page.path.endswith(".html") and page.path != here]
    return to(here, START, *(path for path in paths if (reports / path).exists()))


def to(here: str, *paths: str) -> list[Link]:
    """Links from the page at the path `here` to these pages."""
    names = {page.path: page.name for page in PAGES} | {START: "Start"}
    return [Link("../" * here.count("/") + path, names[path]) for path in paths]
