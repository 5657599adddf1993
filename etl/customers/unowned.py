"""The exams of which the published release has attempts that no customer owned."""

from __future__ import annotations

from etl.servers.hive import Hive, StatementError
from etl.settings import Settings
from etl.store.periods import NOBODY

MOST = 20  # exams that are named


def unowned(settings: Settings) -> list[str]:
    """A line per exam, those with most attempts first; none before a release has tables of customers."""
    with Hive(settings) as hive:
        try:
            rows = hive.query(
                "SELECT exam_name, exam_id, attempt_count FROM customers.owned_exams "  # noqa: S608
                f"WHERE customer = '{NOBODY}' ORDER BY attempt_count DESC, exam_id"
            ).rows
        except StatementError:
            return []
    lines = [f"nobody owned {name} ({exam}) at {count:,} attempts" for name, exam, count in rows[:MOST]]
    return [*lines, f"and {len(rows) - MOST} more exams"] if len(rows) > MOST else lines
