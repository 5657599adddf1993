"""Which customer owns an exam on which days: periods, folded and shortened. Pure: no server is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from etl.errors import UsageError

NOBODY = "nobody"  # owns what no customer owns
FIRST_DAY, NO_DAY = "", "9999-99-99"  # in place of an open begin and end: before and behind every ISO date


@dataclass(frozen=True)
class Period:
    """An exam and its owner from one UTC day until another, which is excluded; None where it is open."""

    exam_id: str
    customer: str
    valid_from: str | None = None
    valid_to: str | None = None

    @property
    def begin(self) -> str:
        """The first day, as a text that sorts."""
        return self.valid_from or FIRST_DAY

    @property
    def end(self) -> str:
        """The day after the last, as a text that sorts."""
        return self.valid_to or NO_DAY

    def __str__(self) -> str:
        return f"{self.exam_id} of {self.customer} from {self.valid_from or 'ever'} to {self.valid_to or 'ever'}"


def fold(rows: Iterable[Mapping[str, Any]]) -> list[Period]:
    """The periods that rows of ops.exam_owners come to: a later row takes its days from earlier ones."""
    by_exam: dict[str, list[Period]] = {}
    for row in rows:
        added = Period(row["exam_id"], row["customer"], row.get("valid_from"), row.get("valid_to"))
        kept = [rest for period in by_exam.get(added.exam_id, []) for rest in _without(period, added)]
        by_exam[added.exam_id] = [*kept, added]
    periods = [period for periods in by_exam.values() for period in periods if period.customer != NOBODY]
    return sorted(periods, key=lambda period: (period.exam_id, period.begin))


def _without(period: Period, other: Period) -> list[Period]:
    """What is left of a period without the days of another."""
    if other.end <= period.begin or period.end <= other.begin:
        return [period]
    left = []
    if period.begin < other.begin:
        left.append(Period(period.exam_id, period.customer, period.valid_from, other.valid_from))
    if other.end < period.end:
        left.append(Period(period.exam_id, period.customer, other.valid_to, period.valid_to))
    return left


def shortened(periods: Iterable[Period], first_days: Mapping[str, str]) -> list[Period]:
    """The periods without the days before the first that their customers keep, which is given by database."""
    kept = [(period, max(period.begin, first_days.get(period.customer, FIRST_DAY))) for period in periods]
    return [replace(period, valid_from=begin or None) for period, begin in kept if begin < period.end]


def refuse_overlaps(periods: Iterable[Period]) -> None:
    """Raise UsageError where two periods of an exam overlap, naming both."""
    last: dict[str, Period] = {}
    for period in sorted(periods, key=lambda period: (period.exam_id, period.begin)):
        before = last.get(period.exam_id)
        if before is not None and period.begin < before.end:
            raise UsageError(f"the exam {period} overlaps {before}", "correct the days, or transfer it with --transfer")
        last[period.exam_id] = period
