"""Latency: the fixed cost of commands, and queries of the marts in an open session."""

from __future__ import annotations

import time

from benchmarks.stack import ENGINE_SERVERS, Stack
from benchmarks.steps import Size
from etl.servers.hive import Hive

COMMANDS = {"help": ["--help"], "status": ["status"], "up": ["up"], "nothing": ["query", "SELECT 1"]}
MARTS = {
    "exams": "SELECT exam_name, attempt_count, mean_score FROM marts.exams ORDER BY attempt_count DESC LIMIT 10",
    "questions": "SELECT exam_name, question_id, correct_share FROM marts.questions WHERE difficulty_rank <= 3",
    "daily_activity": "SELECT started_date, SUM(attempt_count) FROM marts.daily_activity GROUP BY started_date",
}
REPEATS = 5


def commands(stack: Stack, size: Size) -> None:
    """Commands that have nothing to do, on a running stack: the fixed cost of each."""
    for _ in range(REPEATS):
        for name, words in COMMANDS.items():
            size.add(f"command.{name}", stack.warehouse(*words, engine=""), messages=0)


def marts(stack: Stack, size: Size) -> None:
    """Each mart queried on each engine, warm, in one session; the seconds are those of the statement alone."""
    for engine in ENGINE_SERVERS:
        with Hive(stack.settings.model_copy(update={"engine": engine})) as hive:
            for name, statement in MARTS.items():
                for seconds in timed(hive, statement):
                    size.add(f"answer.{engine}.{name}", seconds, messages=0)


def timed(hive: Hive, statement: str) -> list[float]:
    """The seconds of each of some repeats, behind one that warms up. Raises StatementError where it fails."""
    seconds = []
    for _ in range(REPEATS + 1):
        began = time.monotonic()
        hive.query(statement)
        seconds.append(time.monotonic() - began)
    return seconds[1:]
