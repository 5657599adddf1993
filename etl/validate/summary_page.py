"""The one-page summary of a validation, worst first, with the history of each expectation and its failing rows."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl import pages as templates
from etl.pages.links import VALIDATION, links
from etl.pages.write import write
from etl.servers.hive import Query
from etl.settings import Settings
from etl.validate import data_docs
from etl.validate.failing_rows import HIDDEN, Failing
from etl.validate.run_suite import CAUSE, Outcome

KEY = ("suite", "expectation", "column_name", "reason")  # of an expectation in all runs
SHOWN_RUNS = 20
PAGE_ROWS = 1000
HISTORY = f"""
    SELECT suite, expectation, column_name, reason, is_met, observed, held_at
    FROM (
        SELECT
            suite, expectation, column_name, reason, is_met, observed, run_id,
            DENSE_RANK() OVER (ORDER BY run_id DESC) AS age,
            MAX(CASE WHEN is_met THEN validated_at END)
                OVER (PARTITION BY suite, expectation, column_name, reason) AS held_at
        FROM ops.expectation_results
        WHERE run_id < '{{run_id}}'
    ) AS results
    WHERE age < {SHOWN_RUNS}
    ORDER BY run_id
"""  # noqa: S608
COUNT = re.compile(r"(?:at least )?([\d,]+)(?: of [\d,]+)? rows?\b")
PUBLISHED = re.compile(r'(<p class="published">).*?(</p>)')
STEP, HEIGHT = 6, 22  # of a sparkline, in pixels


@dataclass(frozen=True)
class History:
    """How many rows failed an expectation in earlier validations, oldest first, and when it was last met."""

    counts: Sequence[int | None] = ()  # 0 where it was met, None where it failed without a number
    held_at: str | None = None


def histories(query: Query, run_id: str) -> dict[tuple[Any, ...], History]:
    """The history of every expectation before this validation."""
    past: dict[tuple[Any, ...], History] = {}
    for *key, is_met, observed, held_at in query(HISTORY.format(run_id=run_id)).rows:
        before = past.get(tuple(key), History())
        past[tuple(key)] = History([*before.counts, 0 if is_met else row_count(observed)], held_at)
    return past


def row_count(observed: str) -> int | None:
    """The number of rows in a result in words, None where it has none."""
    match = COUNT.match(observed)
    return int(match[1].replace(",", "")) or None if match else None


@dataclass(frozen=True)
class Spark:
    """A sparkline: a path for the validations that met it, one for those that did not, and the same in words."""

    met: str
    unmet: str
    width: int
    words: str

    @classmethod
    def of(cls, counts: Sequence[int | None]) -> Spark:
        """A low mark where it was met, else a bar that is higher for more rows."""
        most = max((count or 1 for count in counts), default=1)
        met, unmet = "", ""
        for place, count in enumerate(counts):
            x = place * STEP + 2
            if count == 0:
                met += f"M{x} {HEIGHT}v-3"
            else:
                unmet += f"M{x} {HEIGHT}v-{7 + (HEIGHT - 7) * (count or most) / most:.0f}"
        held = sum(count == 0 for count in counts)
        times = "validation" if len(counts) == 1 else "validations"
        return cls(met, unmet, len(counts) * STEP, f"met in {held} of the last {len(counts)} {times}")


@dataclass(frozen=True)
class Line:
    """A line of the summary: a row of ops.expectation_results, its history, and the page of the rows that fail."""

    row: Mapping[str, Any]
    history: History
    rows_page: str | None

    @property
    def observed(self) -> str:
        """The result in words, without the answer of a server."""
        return str(self.row["observed"]).partition(CAUSE)[0]

    @property
    def spark(self) -> Spark:
        """The history, this validation at its end."""
        now = 0 if self.row["is_met"] else row_count(self.row["observed"])
        return Spark.of([*self.history.counts, now][-SHOWN_RUNS:])


def key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """The expectation that a row is a result of."""
    return tuple(row[name] for name in KEY)


def failing_pages(place: Path, table: str, outcome: Outcome) -> dict[tuple[Any, ...], str]:
    """Write the pages of a table's failing rows; the name of the first page, by expectation."""
    return {
        key(outcome.rows[number]): rows_pages(place, f"{table}-{number + 1}", outcome.rows[number], failing)
        for number, failing in outcome.failing.items()
    }


def rows_pages(place: Path, name: str, row: Mapping[str, Any], failing: Failing) -> str:
    """Write all failing rows of an expectation, a thousand a page; the name of the first page."""
    count = max(1, -(-len(failing.rows) // PAGE_ROWS))
    names = [f"{name}.rows{f'-{number}' if number > 1 else ''}.html" for number in range(1, count + 1)]
    shared = {"row": row, "failing": failing, "names": names, "hidden": HIDDEN, "facts": {"title": row["table_name"]}}
    shared["links"] = data_docs.LINKS
    for number, page in enumerate(names):
        part = failing.rows[number * PAGE_ROWS : (number + 1) * PAGE_ROWS]
        first = number * PAGE_ROWS + 1
        write(place / page, templates.render("failing.html", part=part, first=first, page=page, **shared))
    return names[0]


def write_summary(
    settings: Settings,
    rows: Iterable[Mapping[str, Any]],
    run: data_docs.Run,
    seconds: float,
    before: Mapping[tuple[Any, ...], History],
    pages: Mapping[tuple[Any, ...], str],
) -> Path:
    """Write the summary as validation.html, and once more into the validation's folder, where it is kept."""
    lines = sorted((Line(row, before.get(key(row), History()), pages.get(key(row))) for row in rows), key=_badness)
    made_at = datetime.datetime.fromisoformat(run.validated_at)
    facts = templates.Facts("Validation", made_at, seconds)
    shared = {"lines": lines, "facts": facts, "run": run, "height": HEIGHT}
    folder = f"data_docs/{run.run_id}/"
    for path, place, others in (
        (f"{folder}index.html", "", data_docs.LINKS),
        (VALIDATION, folder, links(settings.reports, VALIDATION)),
    ):
        write(settings.reports / path, templates.render("validation.html", links=others, place=place, **shared))
    return settings.reports / VALIDATION


def mark_published(settings: Settings, release: int, landing: int) -> None:
    """Say on the last summary which release readers see, as after a publication or a rollback."""
    page = settings.reports / VALIDATION
    if page.exists():
        words = f"Readers see release {release}, which shows all landings up to {landing}."
        write(page, PUBLISHED.sub(rf"\g<1>{words}\g<2>", page.read_text(encoding="utf-8")))


def _badness(line: Line) -> tuple[bool, int, str, str, str]:
    """Failed before met, then by severity; an unknown severity counts as the worst."""
    row = line.row
    severities = templates.SEVERITIES
    rank = severities.index(row["severity"]) if row["severity"] in severities else -1
    return bool(row["is_met"]), rank, row["table_name"], row["column_name"] or "", row["expectation"]
