"""flat.attempts: of each attempt the message that counts."""

from __future__ import annotations

from local_spark import Warehouse

FILE = "2_flat/attempts_v1.sql"


def test_a_superseded_message_is_no_attempt(warehouse: Warehouse) -> None:
    warehouse.given(
        "flat.messages",
        {"attempt_id": "a", "kafka_partition": 0, "kafka_offset": 0},
        {"attempt_id": "a", "kafka_partition": 1, "kafka_offset": 0},
        {"attempt_id": "b", "kafka_partition": 0, "kafka_offset": 1},
    )
    warehouse.given("flat.superseded_messages", {"kafka_partition": 0, "kafka_offset": 0})
    warehouse.run(FILE)
    assert warehouse.query("SELECT attempt_id, kafka_partition, kafka_offset FROM flat.attempts") == [
        ("a", 1, 0),
        ("b", 0, 1),
    ]


def test_the_candidate_reads_the_views_of_the_candidate(warehouse: Warehouse) -> None:
    warehouse.given("flat.messages", {"attempt_id": "published"})
    warehouse.given("flat.superseded_messages")
    warehouse.given("candidate.messages", {"attempt_id": "candidate"})
    warehouse.given("candidate.superseded_messages")
    warehouse.run(FILE)
    warehouse.show_candidate(FILE)
    assert warehouse.query("SELECT attempt_id FROM flat.attempts") == [("published",)]
    assert warehouse.query("SELECT attempt_id FROM candidate.attempts") == [("candidate",)]
