"""Rows as text: a table for people, CSV and JSON for programs.

CSV and JSON hold every value exactly. What a terminal would interpret (control characters, marks that turn the
direction of text) is escaped wherever a terminal is to show it, and nowhere else but for a line break in a table,
which would end its row.
"""

from __future__ import annotations

import datetime
import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from rich.cells import cell_len

from etl.errors import UsageError
from etl.servers.hive import Result
from etl.terminal import escaped, escaped_json

MOST_CHARACTERS = 1000  # of a cell in a table
LINE_BREAKS = re.compile("[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
NEEDS_QUOTES = re.compile('[",\r\n]')
NESTED = ("ARRAY", "MAP", "STRUCT")
ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def formatted(result: Result, form: str, *, terminal: bool | None = None) -> str:
    """All rows as `table`, `csv` or `json`, without the last line break; `terminal` as for `pieces`."""
    return "".join(pieces([result], form, terminal=terminal)).removesuffix("\n")


def pieces(blocks: Iterable[Result], form: str, *, terminal: bool | None = None) -> Iterator[str]:
    """The text piece by piece, as the blocks of rows come; a table needs all of them for its widths.

    `terminal` says whether a terminal shows the text, which None takes from standard output. Raises UsageError for
    JSON with two columns of a name.
    """
    terminal = sys.stdout.isatty() if terminal is None else terminal
    return {"json": _json, "csv": _csv, "table": _table}[form](blocks, terminal)


def check_names(columns: Sequence[str]) -> None:
    """Raise UsageError when two columns have one name."""
    if repeated := [name for name in columns if columns.count(name) > 1]:
        raise UsageError(f"two columns are named {repeated[0]}", "name each with AS, an object holds a name once")


def lines(blocks: Iterable[Result]) -> Iterator[bytes]:
    """One JSON object a row, as bytes without a line break."""
    for block in blocks:
        check_names(block.columns)
        nested = {name for name, kind in zip(block.columns, block.types, strict=False) if kind in NESTED}
        for row in block.dictionaries():
            yield ENCODER.encode(row | {name: _parsed(row[name]) for name in nested})


def _parsed(value: Any) -> Any:
    """An array or a struct, which the protocol carries as JSON; text that is no JSON stays text."""
    if not isinstance(value, str):
        return value
    try:
        msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError):
        return value
    return msgspec.Raw(value.encode())


def _json(blocks: Iterable[Result], terminal: bool) -> Iterator[str]:
    start = "["
    for line in lines(blocks):
        text = line.decode()
        yield start + (escaped_json(text) if terminal else text)
        start = ",\n "
    yield "[]\n" if start == "[" else "]\n"


def _csv(blocks: Iterable[Result], terminal: bool) -> Iterator[str]:
    return csv_lines(blocks, escaped if terminal else str)


def csv_lines(blocks: Iterable[Result], as_text: Any = str) -> Iterator[str]:
    """A header and the rows as CSV, a piece of text per block: NULL is empty, an empty text is `""`."""
    for number, block in enumerate(blocks):
        head = [block.columns] if number == 0 and block.columns else []
        yield "".join(",".join(_csv_cell(value, as_text) for value in row) + "\n" for row in [*head, *block.rows])


def _csv_cell(value: Any, as_text: Any) -> str:
    if value is None:
        return ""
    text = as_text(exact(value))
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if not text or NEEDS_QUOTES.search(text) else text


def exact(value: Any) -> str:
    """A value as text that loses no digit."""
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def as_text(blocks: Iterable[Result], terminal: bool) -> Iterator[str]:
    """The rows of EXPLAIN or SHOW CREATE TABLE as the text they are, line breaks and all."""
    for block in blocks:
        for row in block.rows:
            for line in " ".join("NULL" if value is None else exact(value) for value in row).split("\n"):
                yield (escaped(line) if terminal else line) + "\n"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal | None) and not isinstance(value, bool)


def _table(blocks: Iterable[Result], terminal: bool) -> Iterator[str]:
    """Columns side by side, numbers to the right."""
    first, rest = next(iterator := iter(blocks), Result()), iterator
    if not first.columns:
        yield "done\n"
        return
    rows = list(itertools.chain(first.rows, *(block.rows for block in rest)))
    head = [_cell(name, terminal) for name in first.columns]
    cells = [["NULL" if value is None else _cell(exact(value), terminal) for value in row] for row in rows]
    widths = [max(cell_len(row[n]) for row in [head, *cells]) for n in range(len(head))]
    numeric = [all(_is_number(row[n]) for row in rows) for n in range(len(widths))]

    def line(row: list[str]) -> str:
        blanks = [" " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True)]
        parts = [
            blank + text if right else text + blank for text, blank, right in zip(row, blanks, numeric, strict=True)
        ]
        return "  ".join(parts).rstrip() + "\n"

    yield line(head) + "  ".join("-" * width for width in widths) + "\n"
    yield from map(line, cells)
    yield f"({len(cells):,} row{'' if len(cells) == 1 else 's'})\n"


def _cell(text: str, terminal: bool) -> str:
    """A value in a table: on one line, and cut where it is very long."""
    end = f"… ({len(text):,} characters)" if len(text) > MOST_CHARACTERS else ""
    text = text[:MOST_CHARACTERS]
    return (escaped(text) if terminal else LINE_BREAKS.sub(lambda match: escaped(match[0]), text)) + end
