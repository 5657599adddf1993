"""Runs the statements of a query and prints all of their rows, as they come."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TextIO

from etl import terminal
from etl.query import formats, nested
from etl.query.statements import keyword, writing_keyword
from etl.servers.hive import Hive, Result
from etl.settings import Settings
from etl.terminal import progress


def query(settings: Settings, statements: Sequence[str], form: str, output: TextIO) -> None:
    """Run the statements in one session and write their results one after another.

    A table says `done` for a statement without rows; CSV and JSON hold the results of those that have columns. Raises
    as Hive does.
    """
    is_first = True
    with Hive(settings, terminal.watch) as hive:
        for statement in statements:
            with progress("query"):
                blocks = nested.blocks(hive, settings.engine, statement) if form == "json" else hive.blocks(statement)
                first = next(blocks)
            if not first.rows and writing_keyword(
                statement
            ):  # Spark returns a column without a row for a statement that writes
                first = Result()
            if len(statements) > 1 and form != "table" and not first.columns:
                continue
            if not is_first and form != "json":
                output.write("\n")
            is_first = False
            for piece in _pieces(statement, itertools.chain([first], blocks), form, output.isatty()):
                output.write(piece)
            output.flush()


def _pieces(statement: str, blocks: Iterator[Result], form: str, is_terminal: bool) -> Iterator[str]:
    if form == "table" and (keyword(statement) == "EXPLAIN" or statement.upper().split()[:2] == ["SHOW", "CREATE"]):
        return formats.as_text(blocks, is_terminal)
    return formats.pieces(blocks, form, terminal=is_terminal)
