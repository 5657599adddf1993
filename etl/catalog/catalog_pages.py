"""The pages that describe the warehouse: a start page that leads to all others, and the catalog, a page per table."""

from __future__ import annotations

import datetime
import os
import re
import sys
import time
import webbrowser
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from etl.catalog.catalog import Catalog, Column, Expected, Table, catalog
from etl.catalog.column_sources import Source
from etl.catalog.lineage_drawing import BOX, picture
from etl.monitoring import conditions
from etl.pages import FOLDER as TEMPLATES
from etl.pages import Facts, render
from etl.pages.links import CATALOG, PAGES, links
from etl.pages.words import DASH, display, heading, sentence
from etl.pages.write import write
from etl.settings import Settings

FOLDER = "catalog"
MOST = 4  # sources that a cell shows open
NAVIGATION = re.compile(r'<nav class="crumbs".*?</nav>')
STYLE = (TEMPLATES / "catalog.css").read_text(encoding="utf-8")


def docs(settings: Settings) -> tuple[Path, Catalog]:
    """Write the catalog, then the start page; returns the path of that page, and the catalog."""
    began = time.monotonic()
    described = catalog(settings)
    write_catalog(settings, described, time.monotonic() - began)
    return write_start(settings), described


def write_start(settings: Settings) -> Path:
    """Write the start page: what fails and the pages that exist, which get links to each other; queries no server."""
    pages = [(page, _written_at(settings.reports / page.path)) for page in PAGES]
    facts = Facts(heading(settings.topic, "warehouse"), datetime.datetime.now(datetime.UTC), 0)
    path = settings.reports / "index.html"
    failing = conditions.failing(settings)
    write(path, render("index.html", facts=facts, pages=pages, failing=failing, chart_style=STYLE))
    _relink(settings.reports)
    return path


def _relink(reports: Path) -> None:
    """Put links to all pages that exist by now into those that were written earlier."""
    for path in [*(reports / page.path for page in PAGES), *(reports / FOLDER).glob("*.html")]:
        if path.suffix == ".html" and path.exists():
            text = path.read_text(encoding="utf-8")
            nav = render("links.html", links=links(reports, path.relative_to(reports).as_posix())).strip()
            if (linked := NAVIGATION.sub(nav, text, count=1)) != text:
                written_at = path.stat().st_mtime
                write(path, linked)
                os.utime(path, (written_at, written_at))


def write_catalog(settings: Settings, described: Catalog, seconds: float) -> Path:
    """Write the overview and a page per SQL file; pages of files that are gone go too."""
    home = settings.reports / FOLDER
    made_at = datetime.datetime.now(datetime.UTC)
    names = _names(described)
    drawn = picture([table.file for table in described.tables], described.lineage.reads)
    shared: dict[str, Any] = {
        "catalog": described,
        "names": names,
        "short": {name: view.partition(".")[2] for name, view in names.items()},
        **{helper.__name__.strip("_"): helper for helper in (_rows, _size, _share, _met, _time, sentence, _grouped)},
    }
    tables = [table for table in described.tables if not table.is_question]
    tables.sort(key=lambda table: table.file.stage.startswith("0"))  # those about the warehouse itself last
    overview = render(
        "catalog.html",
        "catalog.js",
        links=links(settings.reports, CATALOG),
        facts=Facts(heading(settings.topic, "catalog"), made_at, seconds),
        **shared,
        stages=[
            (stage.partition("_")[2], list(tables)) for stage, tables in groupby(tables, lambda each: each.file.stage)
        ],
        count=len(tables),
        questions=[table for table in described.tables if table.is_question],
        picture=drawn,
        width=BOX,
        topic=settings.topic,
        chart_style=f"{STYLE}\n{drawn.highlights}",
    )
    pages = {"index.html": overview}
    uses = described.lineage.uses()
    for table in described.tables:
        facts = Facts(names[table.file.table], made_at, seconds)
        own = _own(settings, described, table)
        pages[f"{table.file.table}.html"] = render(
            "table.html", facts=facts, **shared, **own, table=table, uses=uses, most=MOST, chart_style=STYLE
        )
    for name, text in pages.items():
        write(home / name, text)
    for old in home.glob("*.html"):
        if old.name not in pages:
            old.unlink()
    return home / "index.html"


def _own(settings: Settings, described: Catalog, table: Table) -> dict[str, Any]:
    """The content that only the page of this table has."""
    name, lineage = table.file.table, described.lineage
    traces = lineage.traces[name]
    question = f"report.html#{table.file.name.partition('.')[2]}"

    def origins(column: str) -> list[Source]:
        return sorted(lineage.origins(Source(name, column))) if column in traces else []

    return {
        "traces": traces,
        "untraced": lineage.untraced.get(name, ""),
        "origins": origins,
        "readers": [other for other, reads in lineage.reads.items() if name in reads],
        "viewers": [other for other, reads in lineage.viewed.items() if name in reads],
        "answer": f"../{question}" if table.is_question and (settings.reports / "report.html").exists() else "",
        "validation": "../validation.html" if (settings.reports / "validation.html").exists() else "",
        "links": links(settings.reports, f"{FOLDER}/{name}.html"),
    }


def shows(path: Path) -> bool:
    """Open a page for a person at a terminal who has a graphical browser; whether that was done."""
    is_graphical = sys.platform in ("darwin", "win32") or {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} & os.environ.keys()
    if not (sys.stdout.isatty() and is_graphical):
        return False
    try:
        return webbrowser.open(path.as_uri())
    except (webbrowser.Error, OSError):
        return False


def _written_at(path: Path) -> datetime.datetime | None:
    return datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC) if path.exists() else None


def _names(described: Catalog) -> dict[str, str]:
    """The name of each table on pages: the readers', or an older version's own."""
    return {
        table.file.table: table.file.name
        if described.lineage.names[table.file.name] == table.file.table
        else table.file.table
        for table in described.tables
    }


def _rows(table: Table) -> str:
    return DASH if table.counted.rows is None else f"{table.counted.rows:,}"


def _size(table: Table) -> str:
    """The bytes of its files for people."""
    if table.sizes is None:
        return DASH
    size = float(sum(table.sizes))
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def _share(table: Table, column: Column) -> str:
    share = table.counted.null_share(column.path)
    if share is None:
        return ""
    return "<0.1%" if 0 < share < 0.001 else f"{share:.1%}" if share % 1 else f"{share:.0%}"


def _met(expected: Sequence[Expected]) -> str:
    if not expected:
        return ""
    unmet = sum(rule.is_met is False for rule in expected)
    unchecked = sum(rule.is_met is None for rule in expected)
    if unchecked == len(expected):
        return f"{unchecked}, not checked"
    words = f"{unmet} of {len(expected)} not met" if unmet else f"{len(expected) - unchecked} met"
    return f"{words}, {unchecked} not checked" if unchecked else words


def _time(text: str) -> str:
    return display("", datetime.datetime.fromisoformat(text))


def _grouped(sources: Iterable[Source]) -> list[tuple[str, list[Source]]]:
    return [(table, list(group)) for table, group in groupby(sources, key=lambda source: source.table)]
