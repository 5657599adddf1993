"""A report's Chart and Dashboard headers as charts of Superset. Pure.

    -- Chart: bar x=attempts y=exam_name       a chart, as etl/report/charts.py reads it
    -- Dashboard: 6                            it is on the dashboard, 6 of 12 columns wide
    -- Dashboard: attempts, exams              big numbers instead: columns of the only row

A question's rows are unique in the column of its axis, so an aggregate over one of its columns is the value itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etl.errors import UsageError
from etl.pages.words import label
from etl.report.charts import Chart
from etl.report.question import place, title
from etl.sqlfile import SqlFile

COLUMNS = 12  # of Superset's grid
HEIGHT, FIGURE_HEIGHT = 50, 16  # in units of 8 pixels
ORDER = "order"


@dataclass(frozen=True)
class Tile:
    """A chart: its name, its type and parameters; `width` is 0 where the dashboard leaves it out."""

    key: str
    name: str
    kind: str
    params: Mapping[str, Any]
    width: int = 0
    height: int = HEIGHT


def tiles(file: SqlFile, columns: list[str]) -> list[Tile]:
    """The charts of a question with these columns; UsageError for a header that does not fit them."""
    wish = file.header.get("Dashboard", "0")
    if not wish.isdecimal():
        return _figures(file, [name.strip() for name in wish.split(",")], columns)
    chart = Chart.parse(file.header.get("Chart", "none"), place(file))
    if chart.kind == "none":
        return []
    _check(file, list(chart.channels.values()), columns)
    kind, params = _heatmap(chart, columns) if chart.kind == "heatmap" else _series(chart, columns)
    return [Tile(file.name, title(file), kind, params, int(wish))]


def _figures(file: SqlFile, names: list[str], columns: list[str]) -> list[Tile]:
    _check(file, names, columns)
    width = COLUMNS // len(names)
    return [
        Tile(
            f"{file.name}.{name}",
            label(name).capitalize(),
            "big_number_total",
            {"metric": _value(name), "y_axis_format": ",.6~g", "header_font_size": 0.4},
            width,
            FIGURE_HEIGHT,
        )
        for name in names
    ]


def _check(file: SqlFile, names: list[str], columns: list[str]) -> None:
    for name in names:
        if name not in columns:
            step = f"it has {', '.join(columns)}"
            raise UsageError(f"{place(file)} draws the column {name}, which its result does not have", step)


def _value(column: str, name: str | None = None) -> dict[str, Any]:
    """The value of a column, as Superset's metric."""
    return {"expressionType": "SQL", "sqlExpression": f"MAX({column})", "label": name or label(column)}


def _series(chart: Chart, columns: list[str]) -> tuple[str, dict[str, Any]]:
    """Bars and lines. Bars are sorted by their length; columns by their axis, or by the numbers beside it."""
    is_bar = chart.kind == "bar"
    axis, measure = (chart.y, chart.x) if is_bar else (chart.x, chart.y)
    metrics = [_value(measure), *([_value(chart.mean)] if chart.mean else [])]
    ranked = f"{axis}_number"
    by = _value(measure) if is_bar else _value(ranked, ORDER) if ranked in columns else None
    params = {
        "x_axis": axis,
        "metrics": metrics,
        "groupby": [chart.color] if chart.color else [],
        "orientation": "horizontal" if is_bar else "vertical",
        "timeseries_limit_metric": by,
        "x_axis_sort": by["label"] if by else axis,
        "x_axis_sort_asc": True,
        "xAxisForceCategorical": chart.kind != "line",
        "stack": "Stack" if chart.color else None,
        "show_value": chart.kind != "line",
        "show_legend": bool(chart.mean),
        "rich_tooltip": True,
        "row_limit": 1000,
        "truncateYAxis": False,
        "y_axis_format": ",.6~g",
        "xAxisLabelInterval": "auto" if chart.kind == "line" else "0",
        "xAxisLabelRotation": 45 if by and not is_bar else 0,
        "x_axis_title": "" if by else label(axis),
        "x_axis_title_margin": 30,
        "y_axis_title": label(measure) if is_bar else "",
        "y_axis_title_margin": 30,
        "x_axis_time_format": "%Y-%m-%d",
    }
    return f"echarts_timeseries_{'line' if chart.kind == 'line' else 'bar'}", params


def _heatmap(chart: Chart, columns: list[str]) -> tuple[str, dict[str, Any]]:
    """Superset sorts an axis by its values alone, so the numbers beside a text take its place."""
    return "heatmap_v2", {
        "x_axis": chart.x,
        "groupby": f"{chart.y}_number" if f"{chart.y}_number" in columns else chart.y,
        "metric": _value(chart.color),
        "sort_x_axis": "alpha_asc",
        "sort_y_axis": "alpha_desc",
        "normalize_across": "heatmap",
        "linear_color_scheme": "superset_seq_1",
        "row_limit": 1000,
    }
