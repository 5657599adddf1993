"""The pages of the warehouse, and the links from each page to the others that exist."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

START = "index.html"
CATALOG, VALIDATION, DATA_DOCS = "catalog/index.html", "validation.html", "data_docs/index.html"
# Path below the reports, name, description, and the command that writes it.
PAGES = (
    ("report.html", "Report", "Every question, answered with its chart, its table and its SQL.", "report"),
    ("report.md", "Report as Markdown", "The same as text, with the plots beside it.", "report"),
    ("report.ipynb", "Report as a notebook", "The same, to continue from: change a query and run it again.", "report"),
    (VALIDATION, "Validation", "Every expectation of the last validation, the worst first.", "validate"),
    (DATA_DOCS, "Data Docs", "Great Expectations' own pages of its suites and runs.", "validate"),
    (CATALOG, "Catalog", "Every table and column: its meaning and its sources.", "docs"),
)


class Link(NamedTuple):
    """A link from one page to another, relative to the first."""

    href: str
    name: str


def links(reports: Path, here: str) -> list[Link]:
    """Links from the page at the path `here`: to the start page, and to every other HTML page that exists."""
    others = [path for path, *_ in PAGES if path.endswith(".html") and path != here and (reports / path).exists()]
    return to(here, START, *others)


def to(here: str, *paths: str) -> list[Link]:
    """Links from the page at the path `here` to these pages."""
    names = {path: name for path, name, *_ in PAGES} | {START: "Start"}
    return [Link("../" * here.count("/") + path, names[path]) for path in paths]
