"""The chart that a report's header asks for, as SVG.

Chart: bar x=messages y=exam_name [color=result]     horizontal bars, in the order of the rows
Chart: column x=started_date y=attempts [color=...]  vertical bars
Chart: line x=started_date y=attempts [color=...]
Chart: heatmap x=hour y=weekday color=attempts
Chart: none
"""

from __future__ import annotations

import datetime
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from etl.errors import UsageError
from etl.templates import DASH, label, shown

WIDE, NARROW = 720, 340
MOST_BARS = 30
SVG = "http://www.w3.org/2000/svg"
NEEDED = {
    "bar": ["x", "y"],
    "column": ["x", "y"],
    "line": ["x", "y"],
    "heatmap": ["x", "y", "color"],
    "none": [],
}
MEASURE = {"bar": "x", "column": "y", "line": "y", "heatmap": "color"}
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
REFERENCE = re.compile(r"#([\w-]+)")

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
FONT = "'Liberation Sans', Arial, Helvetica, sans-serif"


@dataclass(frozen=True)
class Chart:
    """What a report's Chart header asks for: a kind, and the columns it draws."""

    kind: str
    x: str = ""
    y: str = ""
    color: str = ""

    @classmethod
    def parse(cls, text: str, where: str) -> Chart:
        """Read the header's value; `where` is the file that an error names."""
        kind, *pairs = text.split() or ["none"]
        if kind not in NEEDED:
            raise UsageError(f"{where} asks for a chart of kind {kind!r}", f"use one of {', '.join(NEEDED)}")
        channels = dict(pair.partition("=")[::2] for pair in pairs)
        allowed = {*NEEDED[kind], "color"} if NEEDED[kind] else set()
        if set(channels) - allowed or not all(channels.get(name) for name in [*NEEDED[kind], *channels]):
            example = " ".join([kind, *(f"{name}=column" for name in NEEDED[kind])])
            raise UsageError(f"{where} has the header `Chart: {text}`", f"write it as `{example}`")
        return cls(kind, **channels)

    @property
    def channels(self) -> dict[str, str]:
        """Channel to column, those that are used."""
        pairs = {"x": self.x, "y": self.y, "color": self.color}
        return {name: column for name, column in pairs.items() if column}


def draw(
    chart: Chart,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    where: str,
    title: str,
    width: int = WIDE,
) -> str | None:
    """The chart as SVG text, None where there is nothing to draw; `title` names it for those who cannot see it.

    Raises UsageError for a column that is not in the result, and for a measure that is not a number.
    """
    if chart.kind == "none":
        return None
    for column in chart.channels.values():
        if column not in columns:
            raise UsageError(
                f"{where} draws the column {column}, which its result does not have",
                f"its columns are {', '.join(columns)}",
            )
    measure = MEASURE[chart.kind]
    records = _records(chart, [dict(zip(columns, row, strict=True)) for row in rows])
    if any(isinstance(record[measure], str) for record in records):
        raise UsageError(f"{where} measures by {chart.channels[measure]}, which is not a number", "mend its Chart")
    if all(record[measure] is None for record in records):
        return None
    name = f"{title} A {chart.kind} chart of {label(chart.channels[measure])}, {len(records):,} values."
    return _finished(_svg(_specification(chart, records, width)), name, f"{where}-{width}")


def alone(svg: str) -> str:
    """The SVG as a file of its own: it brings its dark colours along."""
    head, end, rest = svg.partition(">")
    return f"{head}{end}<style>{style()}</style>{rest}\n"


def style(scope: str = "") -> str:
    """The rules that give charts their colours in the dark; `scope` is a selector before each."""
    rules = [
        f'{scope}[{part}="{light}"]{{{part}:{dark}}}'
        for light, dark in [TEXT, GRID, *SERIES]
        for part in ("fill", "stroke")
    ]
    return "@media screen and (prefers-color-scheme:dark){" + "".join(rules) + "}"


def _records(chart: Chart, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One record a row, its members named by channel: a column's own name may mean something to Vega."""
    measure = MEASURE[chart.kind]
    records: list[dict[str, Any]] = []
    for row in rows:
        texts = {name: shown(column, row[column]) for name, column in chart.channels.items()}
        record = {name: _plain(row[column]) for name, column in chart.channels.items()}
        record |= {name: DASH for name, value in record.items() if value is None and name != measure}
        tip = "; ".join(f"{label(chart.channels[name])}: {text}" for name, text in texts.items())
        records.append(record | {"text": texts[measure], "tip": tip})
    if chart.kind == "bar":
        drawn = list(dict.fromkeys(record["y"] for record in records))[:MOST_BARS]
        return [record for record in records if record["y"] in drawn]
    return records


def _plain(value: Any) -> Any:
    """A value as JSON holds it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime.datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}Z"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if value is None or is_number else shown("", value)


def _specification(chart: Chart, records: list[dict[str, Any]], width: int) -> dict[str, Any]:
    """The chart in Vega-Lite's grammar. Altair is imported by those who draw, not by every command."""
    import altair

    base: Any = altair.Chart(altair.InlineData(values=records)).encode(description="tip:N")
    make = {"bar": _bars, "heatmap": _heatmap}.get(chart.kind, _upright)
    text = {"labelColor": TEXT[0], "titleColor": TEXT[0], "labelFontSize": 12, "titleFontSize": 12}
    lines = {"gridColor": GRID[0], "domainColor": GRID[0], "tickColor": GRID[0]}
    space = {"labelPadding": 6, "titlePadding": 10, "titleFontWeight": "normal"}
    drawn = make(altair, base, chart, records).properties(
        width=width, padding=4, background="transparent", autosize={"type": "fit-x", "contains": "padding"}
    )
    drawn = drawn.configure(font=FONT).configure_view(stroke=None)
    drawn = drawn.configure_axis(**text, **lines, **space).configure_axisX(labelLimit=90)
    drawn = drawn.configure_axisY(labelLimit=300 if width == WIDE else 140)
    drawn = drawn.configure_legend(**text, orient="top", titleFontWeight="normal", columns=6 if width == WIDE else 3)
    return dict(drawn.to_dict())


def _bars(altair: Any, base: Any, chart: Chart, _records: list[dict[str, Any]]) -> Any:
    """Horizontal bars with their number at the end; stacked ones have a legend in its place."""
    spread = base.properties(height=altair.Step(26)).encode(
        x=altair.X("x:Q", title=label(chart.x), axis=_axis(altair, chart.x)),
        y=altair.Y("y:N", sort=None, title=None, axis=altair.Axis(ticks=False, domain=False)),
    )
    if chart.color:
        return spread.encode(color=_series(altair)).mark_bar(size=16)
    numbers = spread.mark_text(align="left", dx=5, fontSize=12, color=TEXT[0]).encode(text="text:N")
    return spread.mark_bar(size=16, color=SERIES[0][0], cornerRadiusEnd=2) + numbers


def _upright(altair: Any, base: Any, chart: Chart, records: list[dict[str, Any]]) -> Any:
    """Columns or a line; over time where all values are days or times."""
    values = [record["x"] for record in records]
    if all(isinstance(value, str) and DATE.match(value) for value in values):
        axis = altair.Axis(grid=False, labelOverlap=True, tickCount=6, format="%-d %b %Y")
        days = {"timeUnit": "utcyearmonthdate"} if all(len(value) == 10 for value in values) else {}
        x = altair.X("x:T", scale=altair.Scale(type="utc"), title=None, axis=axis, **days)
    else:
        axis = altair.Axis(grid=False, ticks=False, labelAngle=0, labelOverlap=True)
        x = altair.X("x:O", sort=_order(values), title=label(chart.x), axis=axis)
    y = altair.Y("y:Q", title=label(chart.y), axis=_axis(altair, chart.y))
    spread = base.properties(height=240).encode(x=x, y=y, **({"color": _series(altair)} if chart.color else {}))
    if chart.kind == "column":
        return spread.mark_bar(color=SERIES[0][0])
    point = {"size": 24, "filled": True} if len(records) <= 100 else False
    return spread.mark_line(color=SERIES[0][0], strokeWidth=2, point=point)


def _heatmap(altair: Any, base: Any, chart: Chart, records: list[dict[str, Any]]) -> Any:
    """One colour by opacity: the more, the further from the page's own colour, be that light or dark."""
    plain = altair.Axis(ticks=False, domain=False, labelAngle=0, labelOverlap=True)
    most = max(record["color"] or 0 for record in records) or 1
    scale = altair.Scale(domain=[0, most], range=[0.04, 1])
    legend = altair.Legend(title=label(chart.color), symbolType="square", tickCount=4)
    return (
        base.properties(height=altair.Step(24))
        .encode(
            x=altair.X("x:O", sort=_order([record["x"] for record in records]), title=label(chart.x), axis=plain),
            y=altair.Y("y:O", sort=_order([record["y"] for record in records]), title=label(chart.y), axis=plain),
            opacity=altair.Opacity("color:Q", scale=scale, legend=legend),
        )
        .mark_rect(color=SERIES[0][0])
    )


def _order(values: Sequence[Any]) -> str | None:
    """Words stay in the order of the rows, numbers count up."""
    return None if any(isinstance(value, str) for value in values) else "ascending"


def _series(altair: Any) -> Any:
    scale = altair.Scale(range=[light for light, _ in SERIES])
    return altair.Color("color:N", sort=None, scale=scale, legend=altair.Legend(title=None))


def _axis(altair: Any, column: str) -> Any:
    """The axis of a measure, in per cent where the column is."""
    percent = {"labelExpr": "datum.label + '%'"} if column.endswith("_percent") else {}
    share = {"format": ".0%"} if column.endswith("_share") else {}
    return altair.Axis(domain=False, ticks=False, tickCount=5, **percent, **share)


def _svg(specification: dict[str, Any]) -> str:
    import altair
    import vl_convert

    version = ".".join(altair.SCHEMA_VERSION.split(".")[:2])
    text: str = vl_convert.vegalite_to_svg(specification, vl_version=version)
    return text


def _finished(svg: str, name: str, prefix: str) -> str:
    """One named picture: ids that are unique in a page, no roles inside, a mark's description as its tooltip."""
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(svg)  # noqa: S314 (vl-convert's own output)
    ids = {value: f"{re.sub(r'[^a-z0-9]+', '-', prefix)}-{value}" for one in root.iter() if (value := one.get("id"))}
    for element in list(root.iter()):
        tip = element.attrib.pop("aria-label", None)
        is_mark = element.attrib.pop("role", "") == "graphics-symbol"
        kind = element.attrib.pop("aria-roledescription", "")
        element.attrib.pop("aria-hidden", None)
        if tip and is_mark and kind not in ("axis", "legend", "title"):
            ElementTree.SubElement(element, f"{{{SVG}}}title").text = tip
        for attribute, value in element.attrib.items():
            if attribute == "id":
                element.set(attribute, ids[value])
            elif "#" in value and (found := REFERENCE.search(value)) and found[1] in ids:
                element.set(attribute, value.replace(f"#{found[1]}", f"#{ids[found[1]]}"))
    root.attrib.update({"role": "img", "aria-label": name, "class": "chart"})
    return ElementTree.tostring(root, encoding="unicode")
