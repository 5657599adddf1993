"""The plot of cost against size: seconds over attempts, both by powers of ten, a line per contestant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.aims import RUN
from benchmarks.steps import Size
from etl.settings import PROJECT
from etl.templates.colours import GRID, SERIES, TEXT, alone
from etl.vega import FONT

PICTURE = PROJECT / "docs" / "pictures" / "performance.svg"
LINES = {
    "whole run: land and build": RUN,
    "land": ("land",),
    "usual script": ("script",),
    "plain copy": ("copy",),
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
    axis: dict[str, Any] = {
        "domain": False,
        "ticks": False,
        "labelColor": TEXT[0],
        "titleColor": TEXT[0],
        "gridColor": GRID[0],
    }
    attempts = sorted({point["attempts"] for point in points})
    ends: dict[str, Any] = {"padding": 24}
    base: Any = altair.Chart(altair.Data(values=points), width=640, height=360).encode(
        x=altair.X(
            "attempts:Q",
            scale=altair.Scale(type="log", domain=[attempts[0], attempts[-1]], nice=False, **ends),
            axis=altair.Axis(values=attempts, format=",", **axis),
        ),
        y=altair.Y("seconds:Q", scale=altair.Scale(type="log"), axis=altair.Axis(tickCount=5, **axis)),
        color=altair.Color(
            "contestant:N",
            scale=altair.Scale(domain=list(LINES), range=[light for light, _ in SERIES]),
            legend=altair.Legend(title=None, orient="right", labelColor=TEXT[0], labelFontSize=12, symbolType="stroke"),
        ),
    )
    drawn = base.mark_line(strokeWidth=2) + base.mark_point(filled=True, size=50)
    drawn = drawn.properties(background="transparent", padding=4).configure(font=FONT).configure_view(stroke=None)
    version = ".".join(altair.SCHEMA_VERSION.split(".")[:2])
    return alone(vl_convert.vegalite_to_svg(drawn.to_dict(), vl_version=version))


def write(sizes: Sequence[Size], path: Path = PICTURE) -> None:
    """Write the picture of docs/performance.md."""
    path.write_text(draw(sizes), encoding="utf-8")
