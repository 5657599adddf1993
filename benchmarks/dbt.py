"""dbt as a contestant: its own project builds and tests the same tables on the same Spark, from the same landings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.measure import BenchmarkError
from benchmarks.messages import check
from benchmarks.stack import Stack
from benchmarks.steps import Size
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import PROJECT
from etl.terminal import say

SOURCE = PROJECT / "benchmarks" / "contestants" / "dbt"
LOCK = SOURCE / "requirements.lock"
VENV = Path(sys.prefix) / "share" / "dbt"  # of its own: it pins other versions than the warehouse
SCHEMA = "dbt"
VIEWS = {
    "flat.messages": "messages",
    "flat.attempts": "attempts",
    "flat.attempt_questions": "attempt_questions",
    "flat.question_options": "question_options",
    "marts.daily_activity": "daily_activity",
    "marts.exams": "exams",
    "marts.questions": "questions",
}


def install() -> None:
    """Create the virtual environment with the locked packages, unless it is there. Raises BenchmarkError."""
    stamp = VENV / LOCK.name
    if stamp.exists() and stamp.read_bytes() == LOCK.read_bytes():
        return
    say("installing dbt")
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(LOCK)]
    for command in ([sys.executable, "-m", "venv", "--clear", str(VENV)], pip):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchmarkError(f"dbt cannot be installed: {done.stderr.strip()[-measure.WORDS :]}")
    stamp.write_bytes(LOCK.read_bytes())


def build(stack: Stack, size: Size, step: str, count: int, folder: Path, is_full: bool = False) -> None:
    """Run `dbt build` once, its tests included, and compare its tables with what readers of the warehouse see."""
    settings = stack.settings
    host, _, port = settings.spark_thrift.partition(":")
    command = [str(VENV / "bin" / "dbt"), "--quiet", "--no-version-check", "build"]
    command += ["--project-dir", str(SOURCE), "--profiles-dir", str(SOURCE)]
    command += ["--target-path", str(folder / "dbt"), "--log-path", str(folder / "dbt")]
    environment = {
        "DBT_SPARK_HOST": host,
        "DBT_SPARK_PORT": port,
        "DBT_SPARK_USER": settings.hive_user,
    }
    done = measure.run([*command, *(["--full-refresh"] if is_full else [])], environment, stack.server("spark"))
    results = json.loads((folder / "dbt" / "run_results.json").read_text(encoding="utf-8"))["results"]
    models, tests = ([row for row in results if row["unique_id"].startswith(kind)] for kind in ("model.", "test."))
    compare(stack)
    size.add(step, done, messages=count, size=Hdfs(settings).size("external", f"{SCHEMA}.db"))
    size.add(f"{step}.models", busy(models), messages=count)
    size.add(f"{step}.tests", busy(tests), messages=count)


def busy(results: list[dict[str, Any]]) -> float:
    """The seconds of these models or tests, added up and divided by the threads that ran them."""
    threads = len({result["thread_id"] for result in results}) or 1
    return float(sum(result["execution_time"] for result in results)) / threads


def compare(stack: Stack) -> None:
    """Compare the number of rows and the hash of all values, view by view. Raises BenchmarkError where they differ.

    A sum of fractions depends on the order of its rows, from the tenth digit on.
    """
    with Hive(stack.settings) as hive:
        for view, model in VIEWS.items():
            columns = [
                f"ROUND({column}, 6)" if kind == "double" else column
                for column, kind, *_ in hive.query(f"DESCRIBE {SCHEMA}.{model}").rows
            ]
            hashes = f"SUM(CAST(XXHASH64({', '.join(columns)}) AS DECIMAL(38, 0)))"
            rows, expected = (
                hive.query(f"SELECT COUNT(*), CAST({hashes} AS STRING) FROM {table}").rows[0]  # noqa: S608
                for table in (f"{SCHEMA}.{model}", view)
            )
            names = ("rows", "hash")
            check(f"dbt's {model}", dict(zip(names, rows, strict=True)), dict(zip(names, expected, strict=True)))
