"""flat.messages: each accepted message is a row, its fields are columns."""

from __future__ import annotations

from typing import Any

from local_spark import Warehouse
from messages import attempt, counts, holding

FILE = "2_flat/messages_v1.sql"
START = 1512345678000  # 2017-12-04 00:01:18 UTC


def message(offset: int, payload: dict[str, Any], **envelope: Any) -> dict[str, Any]:
    """A line of raw.assessments_v1."""
    return {"kafka_topic": "t", "kafka_partition": 0, "kafka_offset": offset, "payload": payload, **envelope}


def test_a_field_of_the_source_becomes_a_column(warehouse: Warehouse) -> None:
    warehouse.given("raw.assessments_v1", message(0, attempt("a"), kafka_timestamp=START))
    warehouse.run(FILE)
    columns = "attempt_id, event_id, exam_id, exam_name, kafka_published_at, question_count, is_all_correct"
    assert warehouse.query(f"SELECT {columns} FROM flat.messages") == [
        ("attempt a", "keen a", "exam a", "a", "2017-12-04 00:01:18", 3, False)
    ]


def test_each_message_of_an_attempt_keeps_its_row(warehouse: Warehouse) -> None:
    twice = [message(0, attempt("a")), message(1, attempt("a"))]
    warehouse.given("raw.assessments_v1", *twice)
    warehouse.run(FILE)
    assert warehouse.query("SELECT kafka_offset, attempt_id FROM flat.messages") == [
        (0, "attempt a"),
        (1, "attempt a"),
    ]


INSTANTS = {
    "2017-01-02T03:04:05Z": "2017-01-02 03:04:05",
    "2017-01-02T03:04:05.6Z": "2017-01-02 03:04:05.6",
    "2017-01-02 03:04:05.123456789z": "2017-01-02 03:04:05.123456",
    "2017-01-02T23:04:05-08:30": "2017-01-03 07:34:05",
    "2017-01-02T00:04:05+0100": "2017-01-01 23:04:05",
    "2017-01-02T03:04:05-00:00": "2017-01-02 03:04:05",
    "2017-01-02T03:04:05": None,  # of no place
    "2017-01-02": None,
    "2017-02-30T03:04:05Z": None,  # no such day
    "2017-01-02T03:04:05Z\n": None,
    "yesterday": None,
    None: None,
}


def test_a_time_is_its_instant_in_utc_or_null(warehouse: Warehouse) -> None:
    messages = [message(n, attempt("a", started_at=text)) for n, text in enumerate(INSTANTS)]
    warehouse.given("raw.assessments_v1", *messages)
    warehouse.run(FILE)
    assert warehouse.query("SELECT kafka_offset, started_at, started_date FROM flat.messages") == [
        (n, instant, instant and instant[:10]) for n, instant in enumerate(INSTANTS.values())
    ]


def test_a_score_needs_counts_and_questions(warehouse: Warehouse) -> None:
    payloads = {
        "half": holding("a", counts=counts(total=4, correct=2)),
        "no questions": holding("b", counts=counts(total=0, correct=0)),
        "no counts": holding("c", counts=None),
        "nothing": attempt("d", sequences=None),
    }
    warehouse.given("raw.assessments_v1", *(message(n, payload) for n, payload in enumerate(payloads.values())))
    warehouse.run(FILE)
    assert warehouse.query("SELECT kafka_offset, score FROM flat.messages") == [
        (0, 0.5),
        (1, None),
        (2, None),
        (3, None),
    ]


def test_what_no_message_had_before_is_an_oddity(warehouse: Warehouse) -> None:
    plain = attempt("a", keen_created_at="1512345678.123456")
    payloads = [plain, {**plain, "certification": "true"}, {**plain, "max_attempts": None, "started_at": None}]
    warehouse.given("raw.assessments_v1", *(message(n, payload) for n, payload in enumerate(payloads)))
    warehouse.run(FILE)
    assert warehouse.query("SELECT kafka_offset, certification, oddities FROM flat.messages") == [
        (0, False, ""),
        (1, True, "new certification"),
        (2, False, "no max_attempts, no started_at"),
    ]


def test_the_paths_of_unknown_fields_are_lines(warehouse: Warehouse) -> None:
    unknown = [{"path": "$.colour", "example": '"red"'}, {"path": "$.sequences.hint", "example": "1"}]
    warehouse.given("raw.assessments_v1", message(0, attempt("a"), unknown_fields=unknown), message(1, attempt("b")))
    warehouse.run(FILE)
    assert warehouse.query("SELECT kafka_offset, unknown_fields FROM flat.messages") == [
        (0, "$.colour\n$.sequences.hint"),
        (1, None),
    ]


def test_a_folder_that_is_filled_twice_holds_the_same_rows(warehouse: Warehouse) -> None:
    warehouse.given("raw.assessments_v1", message(0, attempt("a")), message(1, attempt("b")))
    warehouse.run(FILE)
    once = warehouse.query("SELECT * FROM flat.messages")
    warehouse.run(FILE)
    assert warehouse.query("SELECT * FROM flat.messages") == once and len(once) == 2


def test_a_folder_takes_only_its_own_lines(warehouse: Warehouse) -> None:
    warehouse.given("raw.assessments_v1", message(0, attempt("a")), message(1, attempt("b"), landing=2))
    warehouse.run("0_ops/published.sql", landing=2)
    warehouse.run(FILE, folder_landing=2)
    assert warehouse.query("SELECT kafka_offset, landing, last_landing FROM flat.messages") == [(1, 2, 2)]


def test_readers_see_no_landing_behind_the_published_one(warehouse: Warehouse) -> None:
    warehouse.given("raw.assessments_v1", message(0, attempt("a")), message(1, attempt("b"), landing=2))
    for landing in (1, 2):
        warehouse.run(FILE, folder_landing=landing)
    warehouse.run("0_ops/candidate.sql", release=2, landing=2)
    warehouse.show_candidate(FILE)
    assert warehouse.query("SELECT kafka_offset FROM flat.messages") == [(0,)]
    assert warehouse.query("SELECT kafka_offset FROM candidate.messages") == [(0,), (1,)]


def test_a_compaction_takes_the_place_of_the_landings_that_it_covers(warehouse: Warehouse) -> None:
    old = [message(n, attempt(name), landing=n + 1) for n, name in enumerate("abc")]
    compacted = [{**row, "compaction": 1, "last_landing": 2} for row in old[:2]]
    warehouse.given("raw.assessments_v1", *old, *compacted)
    warehouse.run("0_ops/published.sql", landing=3)
    for landing in (1, 2, 3):
        warehouse.run(FILE, folder_landing=landing)
    before = warehouse.query("SELECT kafka_offset, landing FROM flat.messages")
    warehouse.run(FILE, folder_compaction=1, folder_landing=2, compaction=1, compacted=2)
    assert warehouse.query("SELECT kafka_offset, landing FROM flat.messages") == before == [(0, 1), (1, 2), (2, 3)]
    assert warehouse.query("SELECT kafka_offset, compaction FROM flat.messages") == [(0, 1), (1, 1), (2, 0)]
