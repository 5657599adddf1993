"""The questions of sql/4_reports: what they answer where rows are few, equal, renamed or absent."""

from __future__ import annotations

from typing import Any

import pytest
from local_spark import Warehouse

from etl.pages.words import DASH
from etl.report.question import filled
from etl.servers.hive import Result
from etl.sqlfile import SQL, SqlFile, files

RUN = "r20260101T000000000000"
SHARES = {"lower": (15, 31), "higher": (31, 64)}  # 48.39 % and 48.44 %: both are 48.4 %


def answer(warehouse: Warehouse, name: str) -> str:
    """The sentence that the report shows."""
    header = SqlFile.read(SQL / f"4_reports/{name}.sql").header
    rows = warehouse.report(name)
    result = Result(list(rows[0]) if rows else [], [tuple(row.values()) for row in rows])
    return "".join(part.text for part in filled(header["Answer"], result, name, header.get("Empty", "No rows.")))


def exam(name: str, attempts: int = 30, **more: Any) -> dict[str, Any]:
    """A row of marts.exams."""
    counts = {"message_count": attempts, "attempt_count": attempts, "scored_attempt_count": attempts}
    return {"exam_id": name, "exam_name": name, **counts, **more}


def attempt(name: str, **more: Any) -> dict[str, Any]:
    """A row of flat.messages and flat.attempts: one question, answered correctly."""
    row = {"attempt_id": name, "event_id": name, "exam_id": "x", "exam_name": "x", "certification": False}
    times = {"started_at": "2018-01-01 10:00:00", "received_at": "2018-01-01 11:00:00", "started_date": "2018-01-01"}
    counts = {"question_count": 1, "correct_count": 1, "incorrect_count": 0, "is_all_correct": True, "score": 1.0}
    return {**row, **times, **counts, **more}


def given_attempts(warehouse: Warehouse, *attempts: dict[str, Any], questions: int = 1) -> None:
    """These attempts, a message of each, with this many questions in each list."""
    warehouse.given("flat.messages", *attempts)
    warehouse.given("flat.attempts", *attempts)
    places = [(row["attempt_id"], position + 1) for row in attempts for position in range(questions)]
    warehouse.given(
        "flat.attempt_questions",
        *({"attempt_id": name, "exam_id": "x", "question_position": at, "result": "correct"} for name, at in places),
    )


# Order: two percentages that are shown alike are not the same


def test_the_hardest_question_has_the_lowest_share_not_the_lowest_rounded_one(warehouse: Warehouse) -> None:
    rows = [
        {"exam_id": "x", "exam_name": "x", "question_id": name, "shown_count": showings, "correct_count": correct}
        | {"incorrect_count": 0, "incomplete_count": 0, "unanswered_count": 0, "correct_share": correct / showings}
        for name, (correct, showings) in (("a", SHARES["higher"]), ("b", SHARES["lower"]))
    ]
    warehouse.given("marts.questions", *rows)
    order = [(row["question_id"], row["correct_percent"]) for row in warehouse.report("hardest_questions")]
    assert order == [("b", 48.4), ("a", 48.4)]


def test_a_null_in_place_of_a_question_is_not_the_hardest_one(warehouse: Warehouse) -> None:
    row = {"exam_id": "x", "exam_name": "x", "shown_count": 30}
    nothing = {**row, "question_id": None, "correct_count": 0, "correct_share": 0.0}
    warehouse.given("marts.questions", nothing, {**row, "question_id": "a", "correct_count": 3, "correct_share": 0.1})
    assert [row["question_id"] for row in warehouse.report("hardest_questions")] == ["a"]


def test_the_exam_with_the_greatest_share_of_perfect_attempts_is_the_first(warehouse: Warehouse) -> None:
    exams = [
        exam(name, attempts, perfect_attempt_count=perfect)
        for name, (perfect, attempts) in (("a", SHARES["lower"]), ("b", SHARES["higher"]))
    ]
    warehouse.given("marts.exams", *exams)
    warehouse.given("flat.messages", *(attempt(name, exam_id=name, exam_name=name) for name in "ab"))
    order = [(row["exam_name"], row["perfect_percent"]) for row in warehouse.report("perfect_scores")]
    assert order == [("b", 48.4), ("a", 48.4)]


def test_the_best_and_the_worst_exam_are_those_of_the_true_means(warehouse: Warehouse) -> None:
    means = {"a": 0.4841, "b": 0.4844, "c": 0.4839}
    warehouse.given("marts.exams", *(exam(name, score_sum=30 * mean) for name, mean in means.items()))
    warehouse.given("flat.messages", *(attempt(name, exam_id=name, exam_name=name) for name in means))
    rows = warehouse.report("best_and_worst_exams")
    assert [row["exam_name"] for row in rows] == ["b", "a", "c"]
    assert {row["worst_exam"] for row in rows} == {"c"}


def test_equal_means_are_ordered_by_name_whatever_their_last_digits(warehouse: Warehouse) -> None:
    warehouse.given("marts.exams", exam("a", score_sum=9.999999999), exam("b", score_sum=10.0))
    warehouse.given("flat.messages", *(attempt(name, exam_id=name, exam_name=name) for name in "ab"))
    assert [row["exam_name"] for row in warehouse.report("best_and_worst_exams")] == ["a", "b"]


def test_the_most_misleading_option_is_checked_in_the_greatest_share(warehouse: Warehouse) -> None:
    options, questions = [], []
    for name, (checked, attempts) in (("a", SHARES["lower"]), ("b", SHARES["higher"])):
        keys = [{"attempt_id": f"{name}{number}", "question_position": 1} for number in range(attempts)]
        questions += [{**key, "question_id": name} for key in keys]
        options += [
            {**key, "option_id": name, "is_correct": False, "is_checked": number < checked}
            for number, key in enumerate(keys)
        ]
    warehouse.given("flat.attempt_questions", *questions)
    warehouse.given("flat.question_options", *options)
    warehouse.given("marts.questions", *({"question_id": name, "exam_name": name} for name in "ab"))
    rows = [(row["option_id"], row["checked_percent"]) for row in warehouse.report("misleading_options")]
    assert rows == [("b", 48.4), ("a", 48.4)]
    assert "checked in 48.4% of the 64 attempts that showed it" in answer(warehouse, "misleading_options")


def test_options_without_an_id_are_not_one_option(warehouse: Warehouse) -> None:
    key = {"attempt_id": "a", "question_position": 1}
    warehouse.given("flat.attempt_questions", {**key, "question_id": "q"})
    warehouse.given("flat.question_options", *[{**key, "is_correct": False, "is_checked": True}] * 30)
    warehouse.given("marts.questions", {"question_id": "q", "exam_name": "x"})
    assert answer(warehouse, "misleading_options") == "No wrong option was shown in 30 attempts yet."


def test_the_place_most_often_unanswered_has_the_greatest_share(warehouse: Warehouse) -> None:
    rows = [
        {"question_position": place, "result": "unanswered" if number < unanswered else "correct"}
        for place, (unanswered, attempts) in ((1, SHARES["lower"]), (2, SHARES["higher"]))
        for number in range(attempts)
    ]
    warehouse.given("flat.attempt_questions", *rows)
    places = [
        (row["question_position"], row["unanswered_percent"]) for row in warehouse.report("unanswered_by_position")
    ]
    assert places == [(2, 48.4), (1, 48.4)]


# An exam that was renamed: marts.exams has one of its names


def test_the_messages_of_a_renamed_exam_count_under_the_name_that_the_exam_has(warehouse: Warehouse) -> None:
    warehouse.given("marts.exams", exam("x", exam_name="new", perfect_attempt_count=30, score_sum=30.0))
    warehouse.given("flat.messages", attempt("a", exam_name="new"), attempt("b", exam_name="former", score=0.0))
    (perfect,) = warehouse.report("perfect_scores")
    assert (perfect["exam_name"], perfect["perfect_messages"]) == ("new", 2)
    (best,) = warehouse.report("best_and_worst_exams")
    assert (best["messages"], best["mean_score_percent_of_messages"]) == (2, 50.0)


def test_the_places_of_a_renamed_exam_are_those_of_all_its_attempts(warehouse: Warehouse) -> None:
    warehouse.given("marts.exams", exam("x", exam_name="new"))
    names = ["new"] * 20 + ["former"] * 10
    given_attempts(warehouse, *(attempt(str(number), exam_name=name) for number, name in enumerate(names)))
    (place,) = warehouse.report("correct_by_place")
    assert (place["exam_name"], place["attempts"], place["correct_messages"]) == ("new", 30, 30)


# Nothing there


def test_every_question_answers_an_empty_warehouse(warehouse: Warehouse) -> None:
    questions = files("4_reports")
    for name in {name for file in questions for name in file.reads} - {"ops.published"}:
        warehouse.given(name)
    answers = {file.path.stem: answer(warehouse, file.path.stem) for file in questions}
    assert {name for name, text in answers.items() if DASH in text} == {"freshness", "headline"}


def test_without_attempts_there_are_0_assessments(warehouse: Warehouse) -> None:
    warehouse.given("marts.exams")
    assert answer(warehouse, "assessments").startswith("0 messages, which report 0 attempts:")


def test_data_without_an_oddity_has_no_most_frequent_one(warehouse: Warehouse) -> None:
    given_attempts(warehouse, attempt("a"), attempt("b"))
    warehouse.given("flat.question_options")
    warehouse.given("marts.exams", exam("x"))
    warehouse.given("raw.landings")
    assert answer(warehouse, "data_oddities") == "0 of 13 kinds of oddity occur."


def test_without_attempts_no_kind_of_oddity_occurs(warehouse: Warehouse) -> None:
    given_attempts(warehouse)
    for name in ("flat.question_options", "marts.exams", "raw.landings"):
        warehouse.given(name)
    assert {row["occurrences"] for row in warehouse.report("data_oddities")} == {0}


def test_an_attempt_that_counts_questions_and_lists_none_is_miscounted(warehouse: Warehouse) -> None:
    given_attempts(warehouse, attempt("a"), attempt("none", question_count=0, correct_count=0), questions=0)
    warehouse.given("flat.question_options")
    warehouse.given("marts.exams", exam("x"))
    warehouse.given("raw.landings")
    occurrences = {row["oddity"]: row["occurrences"] for row in warehouse.report("data_oddities")}
    assert occurrences["attempts whose counts differ from their questions"] == 1
    assert answer(warehouse, "data_oddities") == (
        "2 of 13 kinds of oddity occur, most often 2 attempts without questions. Treatment: Kept in flat.attempts."
    )


def test_an_attempt_without_questions_is_not_perfect(warehouse: Warehouse) -> None:
    given_attempts(warehouse, attempt("a"), attempt("b", question_count=0, correct_count=0, score=None))
    (row,) = warehouse.report("headline")
    assert (row["perfect_attempts"], row["perfect_messages"]) == (1, 1)


def test_a_start_later_than_its_arrival_is_not_the_newest_attempt(warehouse: Warehouse) -> None:
    """No client can read the year 10000, which a zone in the west makes of the last day of 9999."""
    given_attempts(warehouse, attempt("a"), attempt("b", started_at="+10000-01-01 10:00:00", started_date=None))
    for name in ("raw.landings", "ops.releases", "ops.expectation_results"):
        warehouse.given(name)
    (row,) = warehouse.report("freshness")
    assert row["newest_attempt_at"] == "2018-01-01 10:00:00"


# The account of all messages


def given_account(warehouse: Warehouse, *landings: dict[str, Any], offsets: dict[int, tuple[int, int]]) -> None:
    """A topic that holds these offsets of each Kafka partition, and these landings of two messages, both attempts."""
    counts = {"rejected_count": 0, "absent_count": 0, "lost_count": 0, "replayed_offsets": []}
    warehouse.given("raw.landings", *({"kafka_topic": "t", **counts, **row} for row in landings))
    bounds = [{"kafka_partition": n, "start_offset": start, "end_offset": end} for n, (start, end) in offsets.items()]
    warehouse.given("ops.topic_offsets", *({"run_id": RUN, "kafka_topic": "t", **row} for row in bounds))
    given_attempts(warehouse, attempt("a"), attempt("b", kafka_partition=1))


LANDED = {"landing": 1, "kafka_partition": 0, "start_offset": 40, "end_offset": 42, "accepted_count": 2}


def test_what_kafka_deleted_before_the_first_landing_does_not_wait_to_be_landed(warehouse: Warehouse) -> None:
    given_account(warehouse, LANDED, offsets={0: (40, 42)})
    (row,) = warehouse.report("completeness")
    assert (row["kafka_messages"], row["not_landed"], row["lost"]) == (2, 0, 0)
    assert (row["is_all_landed"], row["is_all_built"], row["standing"]) == (True, True, "good")


def test_what_waits_in_a_partition_that_was_never_landed_counts_from_its_first_message(warehouse: Warehouse) -> None:
    given_account(warehouse, LANDED, offsets={0: (41, 45), 1: (7, 9)})
    (row,) = warehouse.report("completeness")
    assert (row["kafka_messages"], row["not_landed"], row["standing"]) == (7, 5, "warn")


def test_what_kafka_deleted_between_two_landings_is_lost(warehouse: Warehouse) -> None:
    later = {**LANDED, "landing": 2, "start_offset": 45, "end_offset": 45, "accepted_count": 0, "lost_count": 3}
    given_account(warehouse, LANDED, later, offsets={0: (45, 45)})
    (row,) = warehouse.report("completeness")
    assert (row["kafka_messages"], row["not_landed"], row["lost"], row["standing"]) == (5, 0, 3, "bad")


def test_before_the_first_validation_nothing_says_what_kafka_holds(warehouse: Warehouse) -> None:
    given_account(warehouse, LANDED, offsets={})
    assert answer(warehouse, "completeness") == "No validation has run yet."


# The verdict


@pytest.mark.parametrize(
    ("severity", "verdict", "standing"),
    [(None, "Yes", "good"), ("info", "In all that is critical", "warn"), ("critical", "No", "bad")],
)
def test_the_verdict_names_no_warning_where_there_is_none(
    warehouse: Warehouse, severity: str | None, verdict: str, standing: str
) -> None:
    row = {"run_id": RUN, "release": 1, "table_name": "t", "validated_at": "2026-01-01T00:00:00Z"}
    results = [{**row, "severity": "critical", "is_met": True}, {**row, "severity": "info", "is_met": True}]
    failing = [{**row, "severity": severity, "is_met": False}] if severity else []
    warehouse.given("ops.expectation_results", *results, *failing)
    (row,) = warehouse.report("verdict")
    assert (row["verdict"], row["standing"]) == (verdict, standing)
    assert row["other_unmet"] == (severity == "info")
