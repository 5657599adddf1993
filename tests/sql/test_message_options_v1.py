"""flat.question_options: each option offered with a question is a row."""

from __future__ import annotations

from local_spark import Warehouse
from messages import holding, option, question

FILE = "2_flat/message_options_v1.sql"


def given(warehouse: Warehouse, *questions: object) -> None:
    """One message with these questions, in landing 1."""
    row = {"kafka_partition": 0, "kafka_offset": 0, "payload": holding("a", questions=list(questions))}
    warehouse.given("raw.assessments_v1", row)
    warehouse.given("flat.superseded_messages")


def test_options_keep_their_order_below_that_of_their_question(warehouse: Warehouse) -> None:
    given(warehouse, question(options=[option(id="a")]), question(options=[option(id="b"), option(id="c")]))
    warehouse.run(FILE)
    columns = "question_position, option_position, option_id"
    assert warehouse.query(f"SELECT {columns} FROM flat.question_options") == [(1, 1, "a"), (2, 1, "b"), (2, 2, "c")]


def test_a_flag_that_is_absent_is_false_but_not_that_of_a_missing_option(warehouse: Warehouse) -> None:
    given(warehouse, question(options=[option(submitted=1, correct=True), {"id": "bare"}, None, option(submitted=0)]))
    warehouse.run(FILE)
    columns = "option_position, option_id, is_checked, is_correct, is_submitted"
    assert warehouse.query(f"SELECT {columns} FROM flat.question_options") == [
        (1, "option", True, True, True),
        (2, "bare", None, False, False),
        (3, None, None, None, None),
        (4, "option", True, True, False),
    ]


def test_a_question_without_options_has_no_row(warehouse: Warehouse) -> None:
    given(warehouse, question(options=[]), question(options=None), None)
    warehouse.run(FILE)
    assert warehouse.query("SELECT option_id FROM flat.question_options") == []


def test_a_click_is_its_instant_in_utc(warehouse: Warehouse) -> None:
    times = ["2017-12-04T00:02:03.4Z", "2017-12-04T00:02:03+02:00", "2017-12-04T00:02:03", None]
    given(warehouse, question(options=[option(at=time) for time in times]))
    warehouse.run(FILE)
    assert warehouse.query("SELECT option_position, clicked_at FROM flat.question_options") == [
        (1, "2017-12-04 00:02:03.4"),
        (2, "2017-12-03 22:02:03"),
        (3, None),
        (4, None),
    ]


def test_the_options_of_a_superseded_message_are_not_shown(warehouse: Warehouse) -> None:
    given(warehouse, question())
    warehouse.given("flat.superseded_messages", {"kafka_partition": 0, "kafka_offset": 0})
    warehouse.run(FILE)
    assert warehouse.query("SELECT option_id FROM flat.question_options") == []
    assert warehouse.query("SELECT option_id FROM flat.message_options_v1") == [("option",)]
