"""The chart that a report's header asks for, as SVG.

Chart: bar x=messages y=exam_name [color=result]     horizontal bars, in the order of the rows
Chart: column x=started_date y=attempts [color=...]  vertical bars
Chart: line x=started_date y=attempts [color=...]
Chart: heatmap x=hour y=weekday color=attempts
Chart: none
"""

from __future__ import annotations

import datetime
import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from etl.errors import UsageError
from etl.templates import DASH, GRID, PERCENT, SERIES, SHARE, TEXT, label, shown

WIDE, NARROW = 800, 340
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
    import altair  # it and vl_convert are for those who draw, not for every command
    import vl_convert

    if chart.kind == "none":
        return None
    has = f"it has {', '.join(columns)}"
    for column in chart.channels.values():
        if column not in columns:
            raise UsageError(f"{where} draws the column {column}, which its result does not have", has)
    measure = MEASURE[chart.kind]
    column = chart.channels[measure]
    records = _records(chart, [dict(zip(columns, row, strict=True)) for row in rows])
    if any(isinstance(record[measure], str) for record in records):
        raise UsageError(f"{where} measures by {column}, which is not a number", "mend its Chart line")
    if all(record[measure] is None for record in records):
        return None
    name = f"{title} A {chart.kind} chart of {label(column)}, {len(records):,} values."
    version = ".".join(altair.SCHEMA_VERSION.split(".")[:2])
    svg = vl_convert.vegalite_to_svg(_specification(chart, records, width), vl_version=version)
    return _finished(svg, name, f"{where}-{width}")


def _records(chart: Chart, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One record a row, its members named by channel: a column's own name may mean something to Vega."""
    measure = MEASURE[chart.kind]
    records: list[dict[str, Any]] = []
    for row in rows:
        texts = {name: shown(column, row[column]) for name, column in chart.channels.items()}
        record = {name: _plain(row[column]) for name, column in chart.channels.items()}
        record |= {name: DASH for name, value in record.items() if value is None and name != measure}
        tip = "; ".join(f"{label(chart.channels[name])}: {text}" for name, text in texts.items())
        # An axis is sorted by its values, or by a column of numbers beside them: weekday_number for weekday.
        ranks = {name: _plain(row.get(f"{of}_number", row[of])) for name, of in chart.channels.items()}
        records.append(record | {"text": texts[measure], "tip": tip, "ranks": ranks})
    if chart.kind == "bar" and chart.color and len({record["y"] for record in records}) == len(records):
        return [record | {"y": f"{record['color']}\n{record['y']}"} for record in records]
    return records


def _order(records: Sequence[Mapping[str, Any]], channel: str) -> list[Any]:
    """The values of an axis from low to high, NULL last."""

    def rank(record: Mapping[str, Any]) -> tuple[bool, bool, Any]:
        value = record["ranks"][channel]
        return value is None, isinstance(value, str), value

    return list(dict.fromkeys(record[channel] for record in sorted(records, key=rank)))


def _plain(value: Any) -> Any:
    """A value as JSON holds it."""
    if isinstance(value, datetime.datetime):
        return shown("", value).replace(" UTC", "Z").replace(" ", "T")
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None if value is None else shown("", value)
    number = value if isinstance(value, int) else float(value)
    return number if math.isfinite(number) else None


def _specification(chart: Chart, records: list[dict[str, Any]], width: int) -> dict[str, Any]:
    """The chart in Vega-Lite's grammar."""
    import altair

    base: Any = altair.Chart(altair.InlineData(values=records), width=width).encode(description="tip:N")
    make = {"bar": _bars, "heatmap": _heatmap}.get(chart.kind, _upright)
    text = {"labelColor": TEXT[0], "titleColor": TEXT[0], "labelFontSize": 12, "titleFontSize": 12}
    lines = {"gridColor": GRID[0], "domainColor": GRID[0], "tickColor": GRID[0]}
    space = {"labelPadding": 6, "titlePadding": 10, "titleFontWeight": "normal"}
    drawn = make(altair, base, chart, records).properties(
        padding=4, background="transparent", autosize={"type": "fit-x", "contains": "padding"}
    )
    drawn = drawn.configure(font=FONT).configure_view(stroke=None)
    drawn = drawn.configure_axis(**text, **lines, **space).configure_axisX(labelLimit=90)
    drawn = drawn.configure_axisY(labelLimit=340 if width == WIDE else 140)
    columns = 6 if width == WIDE else 2
    drawn = drawn.configure_legend(**text, orient="top", titleFontWeight="normal", columns=columns)
    return dict(drawn.to_dict())


def _bars(altair: Any, base: Any, chart: Chart, records: list[dict[str, Any]]) -> Any:
    """Horizontal bars with their number at the end; stacked ones have a legend in its place."""
    names = {record["y"] for record in records}
    lines = 2 if all("\n" in str(name) for name in names) else 1
    axis = altair.Axis(ticks=False, domain=False, labelExpr="split(datum.label, '\\n')")
    stacked = len(names) < len(records)
    most = max(record["x"] or 0 for record in records)
    room = {} if stacked or most <= 0 else {"domainMax": most * (1.12 if base.width == WIDE else 1.4)}
    x = altair.X("x:Q", title=label(chart.x), axis=_axis(altair, chart, records), scale=altair.Scale(**room))
    y = altair.Y("y:N", sort=None, title=None, axis=axis)
    spread = base.properties(height=altair.Step(12 + 15 * lines)).encode(x=x, y=y)
    if stacked:
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
        longest = max(len(str(value)) for value in values)
        is_tight = longest * 7 > (base.width - 60) / len(set(values)) and longest > 3
        turn = {"labelAngle": -35, "labelLimit": 150} if is_tight else {"labelAngle": 0, "labelSeparation": 4}
        axis = altair.Axis(grid=False, ticks=False, labelOverlap=not is_tight, **turn)
        x = altair.X("x:O", sort=_order(records, "x"), title=label(chart.x), axis=axis)
    y = altair.Y("y:Q", title=label(chart.y), axis=_axis(altair, chart, records))
    color = {"color": _series(altair)} if chart.color else {}
    spread = base.properties(height=240).encode(x=x, y=y, **color)
    if chart.kind == "column":
        return spread.mark_bar(color=SERIES[0][0])
    own = {} if chart.color else {"color": SERIES[0][0]}
    dots = {"size": 24, **own} if len(records) <= 100 else False
    return spread.mark_line(strokeWidth=2, point=dots, **own)


def _heatmap(altair: Any, base: Any, chart: Chart, records: list[dict[str, Any]]) -> Any:
    """One colour by opacity: the more, the further from the page's own colour, be that light or dark."""
    plain = altair.Axis(ticks=False, domain=False, labelAngle=0, labelOverlap=True)
    most = max(record["color"] or 0 for record in records) or 1
    scale = altair.Scale(domain=[0, most], range=[0.04, 1])
    legend = altair.Legend(title=label(chart.color), symbolType="square", tickCount=4)
    spread = base.properties(height=altair.Step(24)).encode(
        x=altair.X("x:O", sort=_order(records, "x"), title=label(chart.x), axis=plain),
        y=altair.Y("y:O", sort=_order(records, "y"), title=label(chart.y), axis=plain),
        opacity=altair.Opacity("color:Q", scale=scale, legend=legend),
    )
    return spread.mark_rect(color=SERIES[0][0])


def _series(altair: Any) -> Any:
    scale = altair.Scale(range=[light for light, _ in SERIES])
    return altair.Color("color:N", sort=None, scale=scale, legend=altair.Legend(title=None))


def _axis(altair: Any, chart: Chart, records: list[dict[str, Any]]) -> Any:
    """The axis of the measure: in per cent where the column is, in whole numbers where all values are."""
    measure = MEASURE[chart.kind]
    column = chart.channels[measure]
    whole = {"tickMinStep": 1} if all(isinstance(record[measure], int) for record in records) else {}
    percent = {"labelExpr": "datum.label + '%'"} if PERCENT.search(column) else {}
    share = {"format": ".0%"} if SHARE.search(column) else {}
    return altair.Axis(domain=False, ticks=False, tickCount=5, **whole, **percent, **share)


def _finished(svg: str, name: str, prefix: str) -> str:
    """One named picture: ids that are unique in a page, no roles inside, a mark's description as its tooltip."""
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(svg)  # noqa: S314 (vl-convert's own output)
    prefix = re.sub(r"[^a-z0-9]+", "-", prefix)
    for element in list(root.iter()):
        tip = element.attrib.pop("aria-label", None)
        is_mark = element.attrib.pop("role", "") == "graphics-symbol"
        kind = element.attrib.pop("aria-roledescription", "")
        element.attrib.pop("aria-hidden", None)
        if tip and is_mark and kind not in ("axis", "legend", "title"):
            ElementTree.SubElement(element, f"{{{SVG}}}title").text = tip
        for attribute, value in element.attrib.items():
            own = f"{prefix}-{value}" if attribute == "id" else value.replace("url(#", f"url(#{prefix}-")
            element.set(attribute, own)
    root.attrib.update({"role": "img", "aria-label": name, "class": "chart"})
    return ElementTree.tostring(root, encoding="unicode")
