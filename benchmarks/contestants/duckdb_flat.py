"""The flat tables by DuckDB: from a dump of the topic in a local file to three local Parquet files.

Usage: python -m benchmarks.contestants.duckdb_flat DUMP FOLDER THREADS
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from string import Template

from benchmarks.queries import FLAT, timed

TABLES = {"attempts": "attempts", "questions": "attempt_questions", "options": "question_options"}


def flatten(dump: Path, folder: Path, threads: int) -> None:
    """Make the three Parquet files; the folder is there and empty."""
    import duckdb

    text = Template(Path(__file__).with_name("flat.sql").read_text()).substitute(dump=dump, folder=folder)
    with duckdb.connect() as database:
        database.execute(f"SET threads = {threads}")
        database.execute(f"SET temp_directory = '{folder}/spilled'")
        database.execute("SET preserve_insertion_order = false")  # as no other contestant keeps it
        database.execute(text)


def counts(folder: Path) -> dict[str, int]:
    """The rows of the files."""
    import duckdb

    with duckdb.connect() as database:
        return {name: len(database.read_parquet(str(folder / f"{table}.parquet"))) for name, table in TABLES.items()}


def answers(folder: Path, threads: int) -> dict[str, list[float]]:
    """The seconds of each query of the flat tables, in one session."""
    import duckdb

    with duckdb.connect() as database:
        database.execute(f"SET threads = {threads}")
        database.execute("CREATE SCHEMA flat")
        for table in TABLES.values():
            database.execute(f"CREATE VIEW flat.{table} AS FROM READ_PARQUET('{folder}/{table}.parquet')")
        return {
            name: timed(lambda statement: database.execute(statement).fetchall(), statement)
            for name, statement in FLAT.items()
        }


def main() -> None:
    """Run, and print what came out."""
    import duckdb  # noqa: F401 (loading it is the start, not the work)

    dump, folder, threads = sys.argv[1:]
    began = time.monotonic()
    flatten(Path(dump), Path(folder), int(threads))
    seconds = time.monotonic() - began
    size = sum(path.stat().st_size for path in Path(folder).glob("*.parquet"))
    document = {"work_seconds": seconds, "counts": counts(Path(folder)), "bytes": size}
    print(json.dumps({**document, "answers": answers(Path(folder), int(threads))}))


if __name__ == "__main__":
    main()
