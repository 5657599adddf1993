"""flat.messages: a message becomes a row."""

from __future__ import annotations

from local_spark import Warehouse
from messages import attempt


def test_a_message_becomes_a_row(warehouse: Warehouse) -> None:
    warehouse.given("raw.assessments_v1", {"kafka_offset": 0, "payload": attempt("a")})
    warehouse.run("2_flat/messages_v1.sql")
    assert warehouse.query("SELECT kafka_offset, attempt_id, started_at FROM flat.messages_v1") == [
        (0, "attempt a", "2017-12-04 00:01:02.003")
    ]


def test_two(warehouse: Warehouse) -> None:
    warehouse.given("raw.assessments_v1", {"kafka_offset": 0, "payload": attempt("a")})
    warehouse.given("ops.published", {"release": 1, "landing": 1})
    warehouse.run("2_flat/messages_v1.sql")
    assert warehouse.query("SELECT kafka_offset, attempt_id, started_at FROM flat.messages") == [
        (0, "attempt a", "2017-12-04 00:01:02.003")
    ]
