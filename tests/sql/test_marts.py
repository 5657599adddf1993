"""The marts: what they count, from a few attempts of the release being built."""

from __future__ import annotations

from typing import Any

from local_spark import Warehouse

EXAMS, DAYS, QUESTIONS = "3_marts/exams_v1.sql", "3_marts/daily_activity_v1.sql", "3_marts/questions_v1.sql"


def attempt(name: str, correct: int | None = 1, at: str = "2017-01-01 10:30:00", **changes: Any) -> dict[str, Any]:
    """An attempt at exam e with four questions, so many of them answered correctly, None where there are no counts."""
    counts = {} if correct is None else {"question_count": 4, "correct_count": correct, "score": correct / 4}
    row = {"attempt_id": name, "exam_id": "e", "exam_name": "Exam", "is_all_correct": correct == 4, **counts}
    return {**row, "started_at": at, "started_date": at[:10], **changes}


def given(warehouse: Warehouse, *attempts: dict[str, Any], superseded: tuple[str, ...] = ()) -> None:
    """These attempts, with a message of each named one that is superseded."""
    warehouse.given("candidate.attempts", *attempts)
    warehouse.given("candidate.superseded_messages", *({"attempt_id": name} for name in superseded))


def test_an_exam_has_the_mean_of_the_scores_that_there_are(warehouse: Warehouse) -> None:
    given(warehouse, attempt("a", 1), attempt("b", 4), attempt("c", None))
    warehouse.run(EXAMS)
    columns = "exam_id, attempt_count, scored_attempt_count, perfect_attempt_count, mean_score, perfect_share"
    assert warehouse.query(f"SELECT {columns} FROM marts.exams") == [("e", 3, 2, 1, 0.625, 0.5)]


def test_an_exam_without_a_score_has_no_mean(warehouse: Warehouse) -> None:
    given(warehouse, attempt("a", None))
    warehouse.run(EXAMS)
    assert warehouse.query("SELECT mean_score, score_deviation, perfect_share FROM marts.exams") == [(None, None, None)]


def test_one_score_has_no_deviation(warehouse: Warehouse) -> None:
    given(warehouse, attempt("a", 1))
    warehouse.run(EXAMS)
    assert warehouse.query("SELECT score_sum, score_deviation FROM marts.exams") == [(0.25, None)]


def test_an_exam_counts_the_messages_that_are_superseded_too(warehouse: Warehouse) -> None:
    given(warehouse, attempt("a"), attempt("b"), superseded=("a", "a"))
    warehouse.run(EXAMS)
    assert warehouse.query("SELECT message_count, attempt_count FROM marts.exams") == [(4, 2)]


def test_an_exam_with_two_names_is_one_row(warehouse: Warehouse) -> None:
    given(warehouse, attempt("a", exam_name="Old"), attempt("b", exam_name="Older"))
    warehouse.run(EXAMS)
    assert warehouse.query("SELECT exam_name, attempt_count FROM marts.exams") == [("Older", 2)]


def test_an_hour_counts_the_attempts_started_in_it(warehouse: Warehouse) -> None:
    hours = ["2017-01-01 10:00:00", "2017-01-01 10:59:59.999", "2017-01-01 11:00:00", "2017-01-02 10:00:00"]
    given(warehouse, *(attempt(str(n), at=hour) for n, hour in enumerate(hours)))
    warehouse.run(DAYS)
    assert warehouse.query("SELECT started_date, started_hour, attempt_count FROM marts.daily_activity") == [
        ("2017-01-01", 10, 2),
        ("2017-01-01", 11, 1),
        ("2017-01-02", 10, 1),
    ]


def test_attempts_without_a_start_are_a_row_of_their_own(warehouse: Warehouse) -> None:
    nowhen = {"started_at": None, "started_date": None}
    given(warehouse, attempt("a", **nowhen), attempt("b", **nowhen), attempt("c"))
    warehouse.run(DAYS)
    assert warehouse.query("SELECT started_date, started_hour, attempt_count FROM marts.daily_activity") == [
        (None, None, 2),
        ("2017-01-01", 10, 1),
    ]


def test_the_hardest_question_of_an_exam_ranks_first_and_equals_share_a_rank(warehouse: Warehouse) -> None:
    given(warehouse, attempt("a"))
    results = {"x": ["correct", "incorrect"], "y": ["unanswered", "correct"], "z": ["correct", "correct"]}
    warehouse.given(
        "candidate.attempt_questions",
        *({"exam_id": "e", "question_id": name, "result": result} for name, both in results.items() for result in both),
    )
    warehouse.run(QUESTIONS)
    columns = "question_id, shown_count, correct_count, unanswered_count, correct_share, difficulty_rank"
    assert warehouse.query(f"SELECT {columns} FROM marts.questions") == [
        ("x", 2, 1, 0, 0.5, 1),
        ("y", 2, 1, 1, 0.5, 1),
        ("z", 2, 2, 0, 1.0, 3),
    ]


def test_readers_see_the_marts_of_the_published_release_alone(warehouse: Warehouse) -> None:
    given(warehouse, attempt("a"))
    warehouse.run(EXAMS)
    given(warehouse, attempt("a"), attempt("b"))
    warehouse.run("0_ops/candidate.sql", release=2)
    warehouse.run(EXAMS, release=2)
    assert warehouse.query("SELECT attempt_count FROM marts.exams") == [(1,)]
    warehouse.run("0_ops/published.sql", release=2)
    assert warehouse.query("SELECT attempt_count FROM marts.exams") == [(2,)]


def test_a_build_that_another_one_overtook_writes_no_row(warehouse: Warehouse) -> None:
    given(warehouse, attempt("a"))
    warehouse.run("0_ops/candidate.sql", release=2)
    warehouse.run(EXAMS, release=1)
    assert warehouse.query("SELECT * FROM marts.exams_v1") == []
