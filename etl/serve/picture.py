"""The chart of a question that a person typed: a fitting one proposed, or the one that was chosen. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from etl.errors import UsageError
from etl.pages import alone as whole
from etl.pages import label
from etl.report.charts import NARROW, NEEDED, WIDE, Chart

MOST = {"bar": 40, "column": 60, "line": 1000, "heatmap": 400}  # rows, the first ones
FEW, SERIES, MOST_COLUMNS = 12, 6, 5  # what has more columns is a list, not a chart
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
Rows = Sequence[Sequence[Any]]


def is_number(values: Sequence[Any]) -> bool:
    """Whether all values are numbers, those that are known; there must be one."""
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(one, int | float | Decimal) and not isinstance(one, bool) for one in known)


def is_day(values: Sequence[Any]) -> bool:
    """Whether all values are days or times."""
    return bool(values) and all(
        isinstance(one, datetime.date) or (isinstance(one, str) and DATE.match(one)) for one in values
    )


def proposed(columns: Sequence[str], rows: Rows) -> Chart:
    """The chart that fits the types of the columns: a line over days, a heatmap of two axes, columns or bars."""
    values = {name: [row[place] for row in rows] for place, name in enumerate(columns)}
    numbers = [name for name in values if is_number(values[name])]
    names = [name for name in values if name not in numbers and any(one is not None for one in values[name])]
    axes = names or numbers[:-1]  # of numbers alone the last one counts, as in hour and attempts
    if len(rows) < 2 or not len(values) == len(columns) <= MOST_COLUMNS or not numbers or not axes:
        return Chart("none")
    measure = numbers[0] if names else numbers[-1]
    alone = [name for name in axes if not _is_twice(values[name])]
    days = [name for name in names if is_day(values[name])]
    if days and days[0] in alone:
        return Chart("line", days[0], measure)
    if days and (series := [name for name in names if name not in days and len(set(values[name])) <= SERIES]):
        return Chart("line", days[0], measure, series[0])
    if not alone and len(axes := [*names, *numbers[:-1]][:2]) == 2:
        return _heatmap(axes, numbers[-1], values)
    if not alone or len(rows) > MOST["column"]:
        return Chart("none")
    is_short = len(rows) <= FEW and all(len(str(one)) <= FEW for one in values[alone[0]])
    return Chart("column", alone[0], measure) if is_short or not names else Chart("bar", measure, alone[0])


def _heatmap(axes: Sequence[str], measure: str, values: Mapping[str, Sequence[Any]]) -> Chart:
    """One of two axes, the longer one across, where each pair has one row."""
    high, wide = sorted(axes, key=lambda name: len(set(values[name])))
    pairs = list(zip(values[high], values[wide], strict=True))
    is_one = not _is_twice(pairs) and len(pairs) <= MOST["heatmap"]
    return Chart("heatmap", wide, high, measure) if is_one else Chart("none")


def _is_twice(values: Sequence[Any]) -> bool:
    return len(set(values)) < len(values)


def drawn(given: Mapping[str, str], columns: Sequence[str], rows: Rows) -> str:
    """The chart that was chosen, as SVG of a file of its own; UsageError where it cannot be drawn."""
    from etl.report.charts import draw

    kind = given.get("kind", "none")
    if kind not in MOST:
        raise UsageError(f"there is no chart of kind {kind[:40]!r}", f"use one of {', '.join(MOST)}")
    chart = Chart(kind, given.get("x", ""), given.get("y", ""), given.get("color", ""))
    if missing := [name for name in NEEDED[kind] if not chart.channels.get(name)]:
        raise UsageError(f"a {kind} chart needs a column for {missing[0]}", "choose one")
    axis = {"bar": chart.y, "heatmap": ""}.get(kind, chart.x)
    places = [] if chart.color else [place for place, name in enumerate(columns) if name == axis]
    if any(_is_twice([row[place] for row in rows[: MOST[kind]]]) for place in places):
        raise UsageError(f"several rows have the same {axis}", "choose a second column, or group by it")
    width = NARROW if given.get("width") == "narrow" else WIDE
    title = f"{label(chart.y)} by {label(chart.x)}."
    svg = draw(chart, columns, rows[: MOST[kind]], "the chart", title, width)
    if svg is None:
        raise UsageError("there is nothing to draw", "choose a column that has numbers")
    return whole(svg)
