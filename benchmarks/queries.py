"""Queries as people ask them: of marts, and of flat tables, which DuckDB answers as well."""

from __future__ import annotations

import time
from collections.abc import Callable

MARTS = {
    "exams": "SELECT exam_name, attempt_count, mean_score FROM marts.exams ORDER BY attempt_count DESC LIMIT 10",
    "questions": "SELECT exam_name, question_id, correct_share FROM marts.questions WHERE difficulty_rank <= 3",
    "daily_activity": "SELECT started_date, SUM(attempt_count) FROM marts.daily_activity GROUP BY started_date",
}
FLAT = {
    "count": "SELECT COUNT(*) FROM flat.attempts",
    "mean": "SELECT exam_id, AVG(score) AS mean_score FROM flat.attempts GROUP BY exam_id ORDER BY exam_id LIMIT 10",
    "options": """SELECT option_id, COUNT(*) AS offered, SUM(CASE WHEN is_checked THEN 1 ELSE 0 END) AS checked
FROM flat.question_options GROUP BY option_id ORDER BY offered DESC, option_id LIMIT 10""",
}
REPEATS = 5


def timed(query: Callable[[str], object], statement: str) -> list[float]:
    """The seconds of each of some repeats, behind one that warms up."""
    seconds = []
    for _ in range(REPEATS + 1):
        began = time.monotonic()
        query(statement)
        seconds.append(time.monotonic() - began)
    return seconds[1:]
