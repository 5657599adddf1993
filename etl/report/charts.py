"""The chart of a report's Chart header, as SVG.

Chart: bar x=messages y=exam_name [color=result]     horizontal bars, in the order of the rows
Chart: column x=started_date y=attempts [color=...]  vertical bars
Chart: line x=started_date y=attempts [color=... or mean=column, a second, calmer line]
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
from etl.pages.words import DASH, display, label
from etl.report.vega import NARROW, WIDE, specification

__all__ = ["NARROW", "WIDE", "Chart", "draw"]

SVG = "http://www.w3.org/2000/svg"
NEEDED = {
    "bar": ["x", "y"],
    "column": ["x", "y"],
    "line": ["x", "y"],
    "heatmap": ["x", "y", "color"],
    "none": [],
}
MEASURE = {"bar": "x", "column": "y", "line": "y", "heatmap": "color"}
# Marks that a pointer or the keyboard can be at: a line runs through many values, a text repeats its mark.
UNNAMED = ("axis", "legend", "title", "line mark", "text mark", "group mark container")


@dataclass(frozen=True)
class Chart:
    """A report's Chart header: a kind, and the columns it draws."""

    kind: str
    x: str = ""
    y: str = ""
    color: str = ""
    mean: str = ""

    @classmethod
    def parse(cls, text: str, where: str) -> Chart:
        """Read the header's value; `where` is the file that an error names."""
        kind, *pairs = text.split() or ["none"]
        if kind not in NEEDED:
            raise UsageError(f"{where} has a chart of kind {kind!r}", f"use one of {', '.join(NEEDED)}")
        channels = dict(pair.partition("=")[::2] for pair in pairs)
        allowed = (
            {*NEEDED[kind], "mean" if kind == "line" and "mean" in channels else "color"} if NEEDED[kind] else set()
        )
        if set(channels) - allowed or not all(channels.get(name) for name in [*NEEDED[kind], *channels]):
            example = " ".join([kind, *(f"{name}=column" for name in NEEDED[kind])])
            raise UsageError(f"{where} has the header `Chart: {text}`", f"write it as `{example}`")
        return cls(kind, **channels)

    @property
    def channels(self) -> dict[str, str]:
        """Channel to column, those that are used."""
        pairs = {"x": self.x, "y": self.y, "color": self.color, "mean": self.mean}
        return {name: column for name, column in pairs.items() if column}

    @property
    def measure(self) -> str:
        """The channel of the numbers that it draws."""
        return MEASURE[self.kind]


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
    import altair
    import vl_convert
    from altair.utils.schemapi import debug_mode

    if chart.kind == "none":
        return None
    has = f"it has {', '.join(columns)}"
    for column in chart.channels.values():
        if column not in columns:
            raise UsageError(f"{where} draws the column {column}, which its result does not have", has)
    measure = chart.measure
    records = _records(chart, [dict(zip(columns, row, strict=True)) for row in rows])
    for name in (measure, "mean"):
        if any(isinstance(record.get(name), str) for record in records):
            text = f"{where} measures by {chart.channels[name]}, which is not a number"
            raise UsageError(text, "correct its Chart line")
    if all(record[measure] is None for record in records):
        return None
    name = f"{title} A {chart.kind} chart of {label(chart.channels[measure])}, {len(records):,} values."
    version = ".".join(altair.SCHEMA_VERSION.split(".")[:2])
    with debug_mode(False):  # checking each chart takes half of the time; a test checks every kind
        grammar = specification(chart, records, width)
    svg = vl_convert.vegalite_to_svg(grammar, vl_version=version)
    return _finished(svg, name, f"{where}-{width}")


def _records(chart: Chart, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One record a row, its members named by channel: a column's own name may mean something to Vega."""
    records: list[dict[str, Any]] = []
    for row in rows:
        texts = {name: display(column, row[column]) for name, column in chart.channels.items()}
        record = {name: _plain(row[column]) for name, column in chart.channels.items()}
        record |= {
            name: DASH for name, value in record.items() if value is None and name not in (chart.measure, "mean")
        }
        tip = "; ".join(f"{label(chart.channels[name])}: {text}" for name, text in texts.items())
        # An axis is sorted by its values, or by a column of numbers beside them: weekday_number for weekday.
        ranks = {name: _plain(row.get(f"{of}_number", row[of])) for name, of in chart.channels.items()}
        records.append(record | {"text": texts[chart.measure], "tip": tip, "ranks": ranks})
    if chart.kind == "bar" and chart.color and len({record["y"] for record in records}) == len(records):
        return [record | {"y": f"{record['color']}\n{record['y']}"} for record in records]
    return records


def _plain(value: Any) -> Any:
    """A value as JSON holds it."""
    if isinstance(value, datetime.datetime):
        return display("", value).replace(" UTC", "Z").replace(" ", "T")
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None if value is None else display("", value)
    number = value if isinstance(value, int) else float(value)
    return number if math.isfinite(number) else None


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
        if tip and is_mark and kind not in UNNAMED:
            ElementTree.SubElement(element, f"{{{SVG}}}title").text = tip
        for attribute, value in element.attrib.items():
            own = f"{prefix}-{value}" if attribute == "id" else value.replace("url(#", f"url(#{prefix}-")
            element.set(attribute, own)
    root.attrib.update({"role": "img", "aria-label": name, "class": "chart"})
    return ElementTree.tostring(root, encoding="unicode")
