"""The tables of customers: whose attempt it is, and what its owner sees of it."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from local_spark import Warehouse

from etl.store.customers import pads

OWNERS, ATTEMPTS = "5_customers/attempt_owners_v1.sql", "5_customers/owned_attempts_v1.sql"
QUESTIONS, EXAMS = "5_customers/owned_attempt_questions_v1.sql", "5_customers/owned_exams_v1.sql"
HARD = "5_customers/owned_questions_v1.sql"
KEYS = {"c_a": b"a" * 32, "c_b": b"b" * 32, "nobody": b"n" * 32}


def attempt(name: str, day: str | None, exam: str = "x") -> dict[str, Any]:
    at = f"{day} 10:00:00" if day else None
    return {"attempt_id": name, "exam_id": exam, "exam_name": exam, "started_at": at, "started_date": day}


def pseudonym(customer: str, name: str) -> str:
    return hmac.new(KEYS[customer], name.encode(), hashlib.sha256).hexdigest()


@pytest.fixture
def owned(warehouse: Warehouse) -> Warehouse:
    """The exam x was of c_a until February, then of c_b; y is always of c_b; z is of nobody."""
    period = {"release": 1, "valid_from": None, "valid_to": None}
    warehouse.given(
        "customers.exam_periods_v1",
        {**period, "exam_id": "x", "customer": "c_a", "valid_to": "2018-02-01"},
        {**period, "exam_id": "x", "customer": "c_b", "valid_from": "2018-02-01"},
        {**period, "exam_id": "y", "customer": "c_b"},
        {**period, "exam_id": "z", "customer": "c_b", "release": 2},
    )
    warehouse.given("ops.pseudonym_keys", *({"database_name": name, **pads(key)} for name, key in KEYS.items()))
    warehouse.given(
        "candidate.attempts",
        attempt("1", "2018-01-31"),
        attempt("2", "2018-02-01"),
        attempt("3", None),
        attempt("4", None, "y"),
        attempt("5", "2018-02-01", "z"),
        attempt("é", "2018-01-01"),
    )
    warehouse.given("candidate.superseded_messages", {"attempt_id": "1"}, {"attempt_id": "1"})
    warehouse.run(OWNERS)
    return warehouse


def test_an_attempt_belongs_to_who_owned_its_exam_on_its_day(owned: Warehouse) -> None:
    assert owned.query("SELECT attempt_id, customer FROM customers.attempt_owners") == [
        ("1", "c_a"),
        ("2", "c_b"),
        ("3", "nobody"),
        ("4", "c_b"),
        ("5", "nobody"),
        ("é", "c_a"),
    ]


def test_a_pseudonym_is_the_hmac_of_the_attempt_by_the_key_of_its_owner(owned: Warehouse) -> None:
    rows = owned.query("SELECT customer, attempt_id, pseudonym FROM customers.attempt_owners")
    assert len(rows) == 6
    assert all(word == pseudonym(customer, name) for customer, name, word in rows)


def test_the_attempts_of_a_customer_have_pseudonyms_and_count_their_messages(owned: Warehouse) -> None:
    owned.run(ATTEMPTS)
    rows = owned.query("SELECT attempt_id, message_count FROM customers.owned_attempts WHERE customer = 'c_a'")
    assert sorted(rows) == sorted([(pseudonym("c_a", "1"), 3), (pseudonym("c_a", "é"), 1)])
    assert owned.query("SELECT COUNT(*) AS attempts FROM customers.owned_attempts") == [(6,)]


def test_an_exam_of_two_customers_is_a_row_of_each(owned: Warehouse) -> None:
    owned.run(ATTEMPTS)
    owned.run(EXAMS)
    where = "FROM customers.owned_exams WHERE exam_id = 'x'"
    assert owned.query(f"SELECT customer, attempt_count, message_count {where}") == [
        ("c_a", 2, 4),
        ("c_b", 1, 1),
        ("nobody", 1, 1),
    ]


def test_questions_are_ranked_among_those_of_their_customer(owned: Warehouse) -> None:
    question = {"exam_id": "x", "question_position": 1}
    owned.given(
        "candidate.attempt_questions",
        {**question, "attempt_id": "1", "question_id": "p", "result": "correct"},
        {**question, "attempt_id": "2", "question_id": "p", "result": "incorrect"},
        {**question, "attempt_id": "2", "question_id": "q", "result": "correct", "question_position": 2},
    )
    for place in (ATTEMPTS, QUESTIONS, HARD):
        owned.run(place)
    columns = "customer, question_id, shown_count, correct_count, difficulty_rank"
    assert owned.query(f"SELECT {columns} FROM customers.owned_questions") == [
        ("c_a", "p", 1, 1, 1),
        ("c_b", "p", 1, 0, 1),
        ("c_b", "q", 1, 1, 2),
    ]
    assert owned.query("SELECT customer, attempt_id FROM customers.owned_attempt_questions") == sorted(
        [("c_a", pseudonym("c_a", "1")), *[("c_b", pseudonym("c_b", "2"))] * 2]
    )


def test_no_row_is_computed_for_a_release_that_another_build_overtook(owned: Warehouse) -> None:
    owned.run("0_ops/candidate.sql", release=2)
    owned.run(OWNERS, release=3)
    assert owned.query("SELECT * FROM customers.attempt_owners_v1 WHERE release <> 1") == []
