"""The plot of cost against size: seconds over attempts, both by powers of ten, a line per contestant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.aims import RUN
from benchmarks.steps import Size
from etl.pages.colours import GRID, SERIES, TEXT, alone
from etl.report.vega import FONT
from etl.settings import PROJECT

PICTURE = PROJECT / "docs" / "pictures" / "performance.svg"
LINES = {
    "whole run: land and build": RUN,
    "build alone, from the landing": ("build",),
    "dbt, from the landing": ("dbt",),
    "usual script": ("script",),
    "DuckDB, flat only": ("duckdb",),
    "PySpark, flat only": ("pyspark",),
}


def records(sizes: Sequence[Size]) -> list[dict[str, Any]]:
    """A point per size and contestant."""
    return [
        {"attempts": size.attempts, "seconds": seconds, "contestant": name}
        for name, steps in LINES.items()
        for size in sizes
        if (seconds := size.median(*steps)) is not None
    ]


def draw(sizes: Sequence[Size]) -> str:
    """The plot as an SVG file that also has colours for the dark."""
    import altair
    import vl_convert

    points = records(sizes)
    attempts = sorted({point["attempts"] for point in points})
    marks = ticks(points)
    ends: dict[str, Any] = {"nice": False, "padding": 24, "domain": [attempts[0], attempts[-1]]}
    base: Any = altair.Chart(altair.Data(values=points), width=620, height=360).encode(
        x=altair.X("attempts:Q", scale=altair.Scale(type="log", **ends), axis=altair.Axis(values=attempts, format=",")),
        y=altair.Y(
            "seconds:Q",
            scale=altair.Scale(type="log", domain=[marks[0], marks[-1]], nice=False),
            axis=altair.Axis(values=marks, format=","),
        ),
        color=altair.Color(
            "contestant:N",
            scale=altair.Scale(domain=list(LINES), range=[light for light, _ in SERIES]),
            legend=altair.Legend(title=None, symbolType="circle"),
        ),
    )
    drawn = base.mark_line(strokeWidth=2) + base.mark_point(filled=True, size=60, opacity=1)
    drawn = drawn.properties(background="transparent", padding=4).configure(font=FONT).configure_view(stroke=None)
    text: dict[str, Any] = {"labelColor": TEXT[0], "labelFontSize": 12}
    title: dict[str, Any] = {"titleColor": TEXT[0], "titleFontSize": 12, "titleFontWeight": "normal"}
    drawn = drawn.configure_axis(**text, **title, gridColor=GRID[0], domain=False, ticks=False, labelPadding=6)
    drawn = drawn.configure_legend(**text, orient="right")
    version = ".".join(altair.SCHEMA_VERSION.split(".")[:2])
    return alone(vl_convert.vegalite_to_svg(drawn.to_dict(), vl_version=version))


def ticks(points: Sequence[dict[str, Any]]) -> list[float]:
    """1, 2, 5, 10 and so on, from below the quickest to above the slowest."""
    seconds = [point["seconds"] for point in points]
    ticks = [step * 10.0**power for power in range(-3, 6) for step in (1, 2, 5)]
    low, high = (
        max(tick for tick in ticks if tick <= min(seconds)),
        min(tick for tick in ticks if tick >= max(seconds)),
    )
    return [tick for tick in ticks if low <= tick <= high]


def write(sizes: Sequence[Size], path: Path = PICTURE) -> None:
    """Write the picture of docs/performance.md."""
    path.write_text(draw(sizes), encoding="utf-8")
