"""Latency: the fixed cost of commands, and queries in an open session."""

from __future__ import annotations

from benchmarks.queries import FLAT, MARTS, REPEATS, timed
from benchmarks.stack import Stack
from benchmarks.steps import Size
from etl.servers.hive import Hive

COMMANDS = {
    "help": ["--help"],
    "status": ["status"],
    "up": ["up"],
    "build": ["build"],
    "nothing": ["query", "SELECT 1"],
}


def commands(stack: Stack, size: Size) -> None:
    """Commands that have nothing to do, on a running stack: the fixed cost of each."""
    for _ in range(REPEATS):
        for name, words in COMMANDS.items():
            size.add(f"command.{name}", stack.warehouse(*words, engine=""), messages=0)


def queries(stack: Stack, size: Size) -> None:
    """Marts on each engine, flat tables on Spark, warm, in an open session: the seconds of the statement alone."""
    for kind, engine, statements in (("answer", "spark", MARTS), ("query", "spark", FLAT), ("answer", "hive", MARTS)):
        with Hive(stack.settings.model_copy(update={"engine": engine})) as hive:
            for name, statement in statements.items():
                for seconds in timed(hive.query, statement):
                    size.add(f"{kind}.{engine}.{name}", seconds, messages=0)
