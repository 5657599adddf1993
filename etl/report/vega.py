"""A chart in Vega-Lite's grammar, by Altair: what is drawn how, for a page of a width. Pure: nothing is drawn yet."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from etl.pages.colours import GRID, SERIES, TEXT
from etl.pages.words import PERCENT, SHARE, label

if TYPE_CHECKING:
    from etl.report.charts import Chart

WIDE, NARROW = 800, 340
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
FONT = "'Liberation Sans', Arial, Helvetica, sans-serif"
MOST_NUMBERS = 12  # columns that have their number above them
MOST_DOTS = 100  # values of a line that are drawn as dots; of more they are there, but are not seen


def specification(chart: Chart, records: list[dict[str, Any]], width: int) -> dict[str, Any]:
    """The chart in Vega-Lite's grammar."""
    import altair

    base: Any = altair.Chart(altair.NamedData("rows"), width=width).encode(description="tip:N")
    make = {"bar": _bars, "heatmap": _heatmap}.get(chart.kind, _upright)
    text = {"labelColor": TEXT[0], "titleColor": TEXT[0], "labelFontSize": 12, "titleFontSize": 12}
    lines = {"gridColor": GRID[0], "domainColor": GRID[0], "tickColor": GRID[0]}
    space = {"labelPadding": 6, "titlePadding": 10, "titleFontWeight": "normal"}
    drawn = make(altair, base, chart, records).properties(
        padding=4, background="transparent", autosize={"type": "fit-x", "contains": "padding"}
    )
    drawn = drawn.configure(font=FONT).configure_view(stroke=None)
    drawn = drawn.configure_axis(**text, **lines, **space).configure_axisX(labelLimit=90)
    drawn = drawn.configure_axisY(labelLimit=_limit(records, 340 if width == WIDE else 140))
    columns = 6 if width == WIDE else 2
    drawn = drawn.configure_legend(**text, orient="top", titleFontWeight="normal", columns=columns)
    return dict(drawn.to_dict()) | {"datasets": {"rows": records}}  # Altair would check and copy every value


def _limit(records: list[dict[str, Any]], pixels: int) -> int:
    """The width that labels are cut to, 0 where none comes near it: measuring texts takes half of the drawing."""
    longest = max((len(line) for record in records for line in str(record["y"]).split("\n")), default=0)
    return pixels if longest * 7 > pixels else 0


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
        if days and len(set(values)) <= MOST_NUMBERS:  # Vega would mark Sundays, also where weeks begin on Monday
            axis = axis.copy()
            axis.values = [_date(altair, value) for value in values]
        x = altair.X("x:T", scale=altair.Scale(type="utc"), title=None, axis=axis, **days)
    else:
        longest = max(len(str(value)) for value in values)
        is_tight = longest * 6 > (base.width - 60) / len(set(values)) and longest > 3
        turn = {"labelAngle": -35, "labelLimit": 150} if is_tight else {"labelAngle": 0, "labelSeparation": 4}
        percent = {"labelExpr": "datum.label + '%'"} if PERCENT.search(chart.x) else {}
        axis = altair.Axis(grid=False, ticks=False, labelOverlap=not is_tight, **turn, **percent)
        x = altair.X("x:O", sort=_order(records, "x"), title=label(chart.x), axis=axis)
    y = altair.Y("y:Q", title=label(chart.y), axis=_axis(altair, chart, records))
    color = {"color": _series(altair)} if chart.color else {}
    spread = base.properties(height=240).encode(x=x, y=y, **color)
    if chart.kind == "column":
        bars = (
            spread.mark_bar(color=SERIES[0][0])
            if chart.color
            else spread.mark_bar(color=SERIES[0][0], cornerRadiusEnd=2)
        )
        if chart.color or len(records) > MOST_NUMBERS:
            return bars
        return bars + spread.mark_text(dy=-7, fontSize=12, color=TEXT[0]).encode(text="text:N")
    return _lines(altair, spread, chart, records)


def _date(altair: Any, text: str) -> Any:
    day = datetime.date.fromisoformat(text)
    return altair.DateTime(year=day.year, month=day.month, date=day.day, utc=True)


def _lines(altair: Any, spread: Any, chart: Chart, records: list[dict[str, Any]]) -> Any:
    """A line with a dot at each value; where a mean is drawn too, the values step back behind it."""
    own = {} if chart.color or chart.mean else {"color": SERIES[0][0]}
    seen = {} if len(records) <= MOST_DOTS else {"opacity": 0}
    if not chart.mean:
        return spread.mark_line(strokeWidth=2, **own) + spread.mark_point(filled=True, size=40, **own, **seen)
    names = [label(chart.y), label(chart.mean)]
    scale = altair.Scale(domain=names, range=[SERIES[0][0], SERIES[1][0]])
    color = altair.Color("series:N", scale=scale, sort=None, legend=altair.Legend(title=None, symbolType="stroke"))
    values, means = (spread.transform_calculate(series=json.dumps(name)).encode(color=color) for name in names)
    mean = means.encode(y=altair.Y("mean:Q")).mark_line(strokeWidth=3)
    return values.mark_line(strokeWidth=1.5, strokeDash=[4, 3]) + mean + values.mark_point(filled=True, size=40, **seen)


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
    measure = chart.measure
    column = chart.channels[measure]
    whole = {"tickMinStep": 1} if all(isinstance(record[measure], int) for record in records) else {}
    # The room for the numbers beside the bars may reach beyond 100 %, where no value can be.
    percent = {"labelExpr": "datum.value > 100 ? '' : datum.label + '%'"} if PERCENT.search(column) else {}
    share = {"format": ".0%"} if SHARE.search(column) else {}
    return altair.Axis(domain=False, ticks=False, tickCount=5, **whole, **percent, **share)


def _order(records: Sequence[Mapping[str, Any]], channel: str) -> list[Any]:
    """The values of an axis from low to high, NULL last."""

    def rank(record: Mapping[str, Any]) -> tuple[bool, bool, Any]:
        value = record["ranks"][channel]
        return value is None, isinstance(value, str), value

    return list(dict.fromkeys(record[channel] for record in sorted(records, key=rank)))
