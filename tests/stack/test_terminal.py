"""Progress of commands at real servers."""

from __future__ import annotations

import re
from pathlib import Path

from drawing import drawn, frames

from etl.settings import Settings


def test_a_query_shows_how_long_its_statement_runs(settings: Settings) -> None:
    counted = "SELECT COUNT(*) AS pairs FROM (SELECT EXPLODE(SEQUENCE(1, 12000)) AS n) AS a CROSS JOIN "
    counted += "(SELECT EXPLODE(SEQUENCE(1, 12000)) AS n) AS b WHERE SQRT(a.n) <> SQRT(b.n) + 1"
    words = ["-m", "etl", "query", "--engine", "spark", "--format", "csv", counted]
    code, output, seen = drawn(words, WAREHOUSE_HOME=str(settings.home))
    assert (code, output.splitlines()[0]) == (0, "pairs")
    assert any(re.fullmatch(r"query ━+ 0:00:\d\d +\d+ s", line) for line in frames(seen)), frames(seen)


def test_publish_shows_records_and_bytes(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text("".join(f'{{"number": {number}}}\n' for number in range(100_000)))
    words = ["-m", "etl", "publish", "--topic", "of-the-terminal", str(path)]
    code, output, seen = drawn(words, WAREHOUSE_HOME=str(settings.home))
    lines = frames(seen)
    assert (code, output) == (0, "") and lines[-1].startswith("acknowledged 100,000 messages")
    assert any(
        re.search(r"publish ━.* [1-9]\d?,000 records, [\d.]+ MB, [\d,]+ records a second", line) for line in lines
    )
