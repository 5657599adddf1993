"""flat.attempt_questions: each question shown in an attempt is a row."""

from __future__ import annotations

from local_spark import Warehouse
from messages import attempt, holding, option, question

FILE = "2_flat/message_questions_v1.sql"


def given(warehouse: Warehouse, *payloads: object) -> None:
    """A message per payload, in landing 1; none is superseded."""
    rows = [{"kafka_partition": 0, "kafka_offset": n, "payload": payload} for n, payload in enumerate(payloads)]
    warehouse.given("raw.assessments_v1", *rows)
    warehouse.given("flat.superseded_messages")


def test_questions_keep_their_order_from_1_on(warehouse: Warehouse) -> None:
    given(warehouse, holding("a", questions=[question(id="first"), question(id="second", user_result="incorrect")]))
    warehouse.run(FILE)
    columns = "attempt_id, exam_id, question_position, question_id, result"
    assert warehouse.query(f"SELECT {columns} FROM flat.attempt_questions") == [
        ("attempt a", "exam a", 1, "first", "correct"),
        ("attempt a", "exam a", 2, "second", "incorrect"),
    ]


def test_a_null_in_place_of_a_question_keeps_its_position(warehouse: Warehouse) -> None:
    given(warehouse, holding("a", questions=[None, question(id="second")]))
    warehouse.run(FILE)
    assert warehouse.query("SELECT question_position, question_id FROM flat.attempt_questions") == [
        (1, None),
        (2, "second"),
    ]


def test_an_attempt_without_questions_has_no_row(warehouse: Warehouse) -> None:
    given(warehouse, holding("a", questions=[]), holding("b", questions=None), attempt("c", sequences=None))
    warehouse.run(FILE)
    assert warehouse.query("SELECT attempt_id FROM flat.attempt_questions") == []


def test_options_are_counted_and_missing_ones_are_not_none(warehouse: Warehouse) -> None:
    options = [[option(), None], [], None]
    given(warehouse, holding("a", questions=[question(options=listed) for listed in options]))
    warehouse.run(FILE)
    assert warehouse.query("SELECT question_position, option_count FROM flat.attempt_questions") == [
        (1, 2),
        (2, 0),
        (3, None),
    ]


def test_the_questions_of_a_superseded_message_are_not_shown(warehouse: Warehouse) -> None:
    given(warehouse, holding("a", questions=[question(id="old")]), holding("a", questions=[question(id="new")]))
    warehouse.given("flat.superseded_messages", {"kafka_partition": 0, "kafka_offset": 0})
    warehouse.run(FILE)
    assert warehouse.query("SELECT question_id FROM flat.attempt_questions") == [("new",)]
    assert warehouse.query("SELECT question_id FROM flat.message_questions_v1") == [("new",), ("old",)]
