"""The lineage as a picture: a column per stage from Kafka to the reports, a box per table, a curve per read. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etl.sqlfile import SqlFile

KAFKA = "kafka"
BOX, GAP, ROW, TALL, HEAD = 164, 34, 36, 26, 34  # widths and heights in pixels
APART = 4 * ROW  # at most, from box to box
BEND = 0.5  # of the way between two columns, where a curve turns


@dataclass(frozen=True)
class Box:
    """A table, a question or the topic; `paths` are the numbers of the boxes it comes from or goes to, and its own."""

    number: int
    table: str
    left: float
    top: float
    paths: tuple[int, ...]


@dataclass(frozen=True)
class Curve:
    """One table read by another: the path of the line, and the boxes on whose way it lies."""

    drawn: str
    paths: tuple[int, ...]


@dataclass(frozen=True)
class Picture:
    """The whole picture in pixels; `heads` are (text, left) of the columns."""

    boxes: Sequence[Box]
    curves: Sequence[Curve]
    heads: Sequence[tuple[str, float]]
    width: int
    height: float

    @property
    def highlights(self) -> str:
        """Style rules: a box under the pointer or the focus leaves only its own way in full colour."""
        return "\n".join(
            f".lineage:has(#b{box.number}:is(:hover,:focus-visible)) :is(.box,path):not(.p{box.number}){{opacity:.15}}"
            for box in self.boxes
        )


def picture(files: Sequence[SqlFile], reads: Mapping[str, Sequence[str]]) -> Picture:
    """Place the boxes. Tables of ops, which only reports read, are placed in front of these.

    The pointers of ops, which say what readers see and hold no data, are left out.
    """
    tables = {file.table for file in files if file.columns or not file.stage.startswith("0")}
    edges = [(source, file.table) for file in files for source in reads[file.table] if source in tables]
    edges += [(KAFKA, file.table) for file in files if file.stage == "1_raw"]  # `land` brings these
    read = {source for source, _ in edges}
    columns: dict[str, list[str]] = {"": [KAFKA]}
    for file in sorted(files, key=_order):
        if not file.stage.startswith("0") or (file.table in tables and file.table in read):
            columns.setdefault(file.stage, []).append(file.table)
    places = _placed(list(columns.values()), edges)
    ways = [_way(name, edges) for name in places]
    boxes = [
        Box(number, name, *places[name], tuple(n for n, way in enumerate(ways) if name in way[0] | way[1]))
        for number, name in enumerate(places)
    ]
    curves = [
        Curve(
            _drawn(places[source], places[target]),
            tuple(n for n, way in enumerate(ways) if any({source, target} <= side for side in way)),
        )
        for source, target in edges
    ]
    heads = [(stage.partition("_")[2] or "Kafka", n * (BOX + GAP)) for n, stage in enumerate(columns)]
    height = max(top for _, top in places.values()) + ROW
    return Picture(boxes, curves, heads, len(columns) * (BOX + GAP) - GAP, height)


def _order(file: SqlFile) -> tuple[bool, bool, str]:
    """The stages from left to right, ops next to the reports."""
    return file.stage.startswith("4"), file.stage.startswith("0"), file.stage


def _placed(columns: Sequence[list[str]], edges: Sequence[tuple[str, str]]) -> dict[str, tuple[float, float]]:
    """(left, top) per box; in a column they are in the order of what they read, so that few curves cross."""
    rows = max(len(column) for column in columns)
    places: dict[str, tuple[float, float]] = {}

    def order(name: str) -> tuple[float, int, str]:
        tops = [places[source][1] for source, target in edges if target == name and source in places]
        return sum(tops) / len(tops) if tops else 0, -sum(source == name for source, _ in edges), name

    for number, column in enumerate(columns):
        spread = min(rows * ROW / len(column), APART)
        # Columns begin at their own heights, so that a line from afar passes between boxes, not behind one.
        top = HEAD + spread * (1 / 2 if not number else (number - 1) / 6 if spread == APART else 0)
        ordered = sorted(column, key=order) if number else column
        places |= {name: (number * (BOX + GAP), round(top + place * spread, 1)) for place, name in enumerate(ordered)}
    return places


def _drawn(source: tuple[float, float], target: tuple[float, float]) -> str:
    """From the right side of a box to the left one of another; round the corner within a column."""
    left, top = source[0] + BOX, source[1] + TALL / 2
    end = target[1] + TALL / 2
    if source[0] == target[0]:
        return f"M{left} {top:.1f}C{left + GAP / 2} {top:.1f} {left + GAP / 2} {end:.1f} {left} {end:.1f}"
    bend = GAP * BEND
    # It bends in the gaps only, so that it passes behind boxes in between as a level line.
    middle = f"H{target[0] - GAP}" if target[0] - left > GAP else ""
    start = target[0] - GAP if middle else left
    return f"M{left} {top:.1f}{middle}C{start + bend} {top:.1f} {start + bend} {end:.1f} {target[0]} {end:.1f}"


def _way(name: str, edges: Sequence[tuple[str, str]]) -> tuple[set[str], set[str]]:
    """What a box comes from, and what it goes to, itself in both."""
    back = [(target, source) for source, target in edges]
    return {name} | _reached(name, back), {name} | _reached(name, edges)


def _reached(name: str, edges: Sequence[tuple[str, str]]) -> set[str]:
    reached: set[str] = set()
    new = {name}
    while new:
        new = {target for source, target in edges if source in new} - reached
        reached |= new
    return reached
