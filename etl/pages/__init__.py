"""The pages: sections and results in, the text of a page out. Pure: nothing is queried, nothing is written.

All text from data is escaped: by Jinja in HTML, by `markdown` in Markdown.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from etl.pages.colours import style
from etl.pages.links import Link
from etl.pages.words import DASH, SHORT, age, display, fence, kind, label, markdown

MOST_ROWS, MOST_MARKDOWN_ROWS, OPEN_ROWS = 1000, 20, 15
SEVERITIES = ("critical", "warning", "info")
FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Part:
    """A piece of an answer: the header's own words, or a substituted value."""

    text: str
    is_value: bool


@dataclass(frozen=True)
class Term:
    """A value under the name of its column, as the first page shows it."""

    column: str
    value: Any


@dataclass(frozen=True)
class Equation:
    """A sum that should hold; SQL says whether it does, None for unknown."""

    left: Term
    right: Sequence[Term]
    holds: bool | None


@dataclass(frozen=True)
class Front:
    """The figures or sums that the first page shows of a question beside its answer."""

    figures: Sequence[Term] = ()
    equations: Sequence[Equation] = ()


@dataclass(frozen=True)
class Section:
    """One question with its answer; `path` is the SQL file's, from the project's folder on.

    `columns` and `rows` are what a table shows. `standing` is good, warn, bad or nothing; a question with a `front`
    stands on the first page too.
    """

    name: str
    question: str
    answer: tuple[Part, ...]
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    assumptions: str
    sql: str
    path: str
    chart_svg: str | None = None
    chart_svg_narrow: str | None = None
    standing: str = ""
    front: Front | None = None

    @property
    def sentence(self) -> str:
        """The answer as plain text."""
        return "".join(part.text for part in self.answer)

    @property
    def kinds(self) -> list[str]:
        """Per column how it is set."""
        places = range(len(self.columns))
        return [kind(self.columns[place], [row[place] for row in self.rows]) for place in places]


@dataclass(frozen=True)
class Facts:
    """The title of a page, and when and in how many seconds it was written."""

    title: str
    made_at: datetime.datetime
    seconds: float


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(label=label, markdown=markdown, fence=fence, age=age)
    environment.globals.update(display=display, DASH=DASH, OPEN_ROWS=OPEN_ROWS, SHORT=SHORT)
    environment.tests["bad"] = lambda severity: severity not in SEVERITIES[1:]
    return environment


def render(template: str, script: str = "", /, **values: Any) -> str:
    """A page of one of the templates here; `chart_style` are rules for it alone.

    Its one script may run because the page names its hash; no other may.
    """
    text = (FOLDER / script).read_text(encoding="utf-8") if script else ""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    defaults = {"chart_style": "", "links": (), "script": text, "digest": f"sha256-{digest}"}
    return _environment().get_template(template).render(**defaults | values)


def render_html(
    sections: Sequence[Section], facts: Facts, links: Sequence[Link] = (), described: Mapping[str, str] | None = None
) -> str:
    """The whole report as one page that loads nothing else.

    `links` lead to the other pages, `described` from the name of a question to its page in the catalog.
    """
    values = {"links": links, "described": described or {}, "most": MOST_ROWS, "chart_style": style("svg.chart ")}
    return render("report.html", "report.js", sections=sections, facts=facts, **values)


def render_markdown(sections: Sequence[Section], facts: Facts) -> str:
    """The whole report as Markdown; its pictures are expected as plots/<name>.svg beside it."""
    return _environment().get_template("report.md").render(sections=sections, facts=facts, most=MOST_MARKDOWN_ROWS)
