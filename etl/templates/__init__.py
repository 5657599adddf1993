"""The pages: sections and results in, the text of a page out. Pure: nothing is asked, nothing is written.

Everything that came out of data is escaped: by Jinja in HTML, by `markdown` in Markdown.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

DASH = "\N{EN DASH}"
MOST_ROWS, MOST_MARKDOWN_ROWS, OPEN_ROWS = 1000, 20, 12
SHORT = 12
# What XML cannot hold, and what nobody could see: shown as the pictures that Unicode has for them.
UNSEEN = {code: 0x2400 + code for code in range(32)} | {127: 0x2421, 0xFFFE: 0xFFFD, 0xFFFF: 0xFFFD}
MARKDOWN = re.compile(r"[\\`*_\[\]|#~$]")
LINKS = re.compile(r"(?<=[a-z])(:)(?=//)|(?<=www)(\.)|(@)", re.IGNORECASE)
PERCENT, SHARE = re.compile(r"_percent(_of_\w+)?$"), re.compile(r"_share(_of_\w+)?$")
SEVERITIES = ("critical", "warning", "info")

# Every colour twice, light and dark: a chart is drawn with the light ones, style sheets swap them.
TEXT, GRID = ("#525c69", "#a9b3c0"), ("#e1e5ea", "#2d343d")
SERIES = [
    ("#2b6a99", "#74b3e3"),
    ("#b4590f", "#eb9a57"),
    ("#24806b", "#5cc4aa"),
    ("#9a4a86", "#d893c6"),
    ("#77701a", "#c9bf5e"),
    ("#6b6f78", "#a3a9b5"),
]


@dataclass(frozen=True)
class Part:
    """A piece of an answer: the header's own words, or a value put in."""

    text: str
    is_value: bool


@dataclass(frozen=True)
class Section:
    """One question with its answer; `path` is the SQL file's, from the project's folder on."""

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

    @property
    def sentence(self) -> str:
        """The answer as plain text."""
        return "".join(part.text for part in self.answer)

    @property
    def kinds(self) -> list[str]:
        """Per column how it is set: as numbers, ids, short words that stay on one line, or text."""
        places = range(len(self.columns))
        return [_kind(self.columns[place], [row[place] for row in self.rows]) for place in places]


@dataclass(frozen=True)
class Verdict:
    """What a validation came to."""

    expectations: int
    unmet: int
    validated_at: datetime.datetime


@dataclass(frozen=True)
class Facts:
    """What a page says of itself; `front` are the sections whose answers stand at its top."""

    title: str
    made_at: datetime.datetime
    seconds: float
    front: Sequence[Section] = ()
    verdict: Verdict | None = None

    @property
    def is_synthetic(self) -> bool:
        """Whether an answer at the top has a value that says so."""
        parts = [part for section in self.front for part in section.answer]
        return any(part.is_value and "synthetic" in part.text for part in parts)


def clean(text: str) -> str:
    """The text with what cannot be seen or written made visible."""
    return text.encode("utf-8", "replace").decode().translate(UNSEEN)


def label(column: str) -> str:
    """A column's name for people."""
    return clean(column.replace("_", " ").strip())


def shown(column: str, value: Any) -> str:
    """A value for people: 1,234, 62.7%, 2018-01-28 19:17:53 UTC, yes; NULL is a dash."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float | Decimal):
        return _number(column, value)
    if isinstance(value, datetime.datetime):
        utc = value.astimezone(datetime.UTC) if value.tzinfo else value
        return f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    return clean(str(value))


def _number(column: str, value: int | float | Decimal) -> str:
    if PERCENT.search(column):
        return f"{value:,}%" if isinstance(value, int) else f"{value:,.1f}%"
    if SHARE.search(column):
        return f"{value:,.1%}"
    if isinstance(value, int) or (isinstance(value, Decimal) and value.as_tuple().exponent == 0):
        return str(value) if re.search(r"(^|_)year$", column) else f"{value:,}"
    return f"{value:,.2f}" if value == 0 or not -1 < value < 1 else f"{value:,.3f}"


def _kind(column: str, values: Sequence[Any]) -> str:
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in known):
        return "number"
    if column.endswith("_id"):
        return "id"
    return "short" if all(len(shown(column, value)) <= SHORT for value in known) else ""


def markdown(text: str) -> str:
    """Text that Markdown shows as it is: one line, no markup, no HTML, no link, fit for a table's cell."""
    text = " ".join(clean(re.sub(r"[\r\n\t]+", " ", text)).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = MARKDOWN.sub(r"\\\g<0>", text)
    return LINKS.sub(lambda match: f"&#{ord(match[0])};", text)


def fence(text: str) -> str:
    """A fence of back quotes longer than any in the text."""
    return "`" * max(3, *(len(run) + 1 for run in re.findall(r"`+", text) or [""]))


def alone(svg: str) -> str:
    """The SVG as a file of its own: it brings its dark colours along."""
    head, end, rest = svg.partition(">")
    return f"{head}{end}<style>{style()}</style>{rest}\n"


def style(scope: str = "") -> str:
    """The rules that give charts their colours in the dark; `scope` is a selector before each."""
    pairs = product(("fill", "stroke"), [TEXT, GRID, *SERIES])
    rules = "".join(f'{scope}[{part}="{light}"]{{{part}:{dark}}}' for part, (light, dark) in pairs)
    return f"@media screen and (prefers-color-scheme:dark){{{rules}}}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(label=label, markdown=markdown, fence=fence)
    environment.globals.update(shown=shown, DASH=DASH, OPEN_ROWS=OPEN_ROWS, SHORT=SHORT)
    environment.tests["bad"] = lambda severity: severity not in SEVERITIES[1:]
    return environment


def render(template: str, **values: Any) -> str:
    """A page of one of the templates here; `chart_style` are rules for it alone."""
    return _environment().get_template(template).render(**{"chart_style": "", **values})


def render_html(sections: Sequence[Section], facts: Facts) -> str:
    """The whole report as one page that asks for nothing else."""
    page = _environment().get_template("report.html")
    chart_style = style("svg.chart ")
    return page.render(sections=sections, facts=facts, chart_style=chart_style, most=MOST_ROWS)


def render_markdown(sections: Sequence[Section], facts: Facts) -> str:
    """The whole report as Markdown; its pictures are expected as plots/<name>.svg beside it."""
    return _environment().get_template("report.md").render(sections=sections, facts=facts, most=MOST_MARKDOWN_ROWS)
