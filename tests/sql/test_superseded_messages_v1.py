"""flat.superseded_messages: which messages a newer one of the same attempt replaced, and from which landing on."""

from __future__ import annotations

from typing import Any

from local_spark import Warehouse

FILE = "2_flat/superseded_messages_v1.sql"
ROWS = "SELECT kafka_partition, kafka_offset, landing FROM flat.superseded_messages_v1"


def message(offset: int, second: int, partition: int = 0, landing: int = 1, **more: Any) -> dict[str, Any]:
    """A row of flat.messages_v1 of one attempt, published at that second."""
    return {
        "attempt_id": "a",
        "kafka_partition": partition,
        "kafka_offset": offset,
        "kafka_published_at": f"2017-01-01 00:00:{second:02}",
        "landing": landing,
        "compaction": 0,
        "last_landing": landing,
        **more,
    }


def test_the_message_published_last_counts(warehouse: Warehouse) -> None:
    warehouse.given("flat.messages_v1", message(0, second=1), message(1, second=3), message(2, second=2))
    warehouse.run(FILE)
    assert warehouse.query(ROWS) == [(0, 0, 1), (0, 2, 1)]


def test_of_two_published_at_once_the_one_of_the_higher_partition_counts(warehouse: Warehouse) -> None:
    """An offset of another partition says nothing about time."""
    warehouse.given("flat.messages_v1", message(9, second=1, partition=0), message(0, second=1, partition=1))
    warehouse.run(FILE)
    assert warehouse.query(ROWS) == [(0, 9, 1)]


def test_of_two_published_at_once_in_a_partition_the_higher_offset_counts(warehouse: Warehouse) -> None:
    warehouse.given("flat.messages_v1", message(0, second=1), message(1, second=1))
    warehouse.run(FILE)
    assert warehouse.query(ROWS) == [(0, 0, 1)]


def test_a_message_without_a_time_is_the_oldest(warehouse: Warehouse) -> None:
    warehouse.given("flat.messages_v1", message(0, second=1), message(1, second=1, kafka_published_at=None))
    warehouse.run(FILE)
    assert warehouse.query(ROWS) == [(0, 1, 1)]


def test_an_attempt_with_one_message_is_not_in_the_list(warehouse: Warehouse) -> None:
    warehouse.given("flat.messages_v1", message(0, second=1), message(1, second=2, attempt_id="b"))
    warehouse.run(FILE)
    assert warehouse.query(ROWS) == []


def test_a_message_counts_until_the_landing_of_a_newer_one(warehouse: Warehouse) -> None:
    warehouse.given("flat.messages_v1", message(0, second=1), message(1, second=2, landing=2))
    warehouse.run(FILE, folder_landing=1)
    assert warehouse.query(ROWS) == []
    warehouse.run(FILE, folder_landing=2)
    assert warehouse.query(ROWS) == [(0, 0, 2)]


def test_a_late_message_that_is_older_falls_at_its_own_landing(warehouse: Warehouse) -> None:
    warehouse.given("flat.messages_v1", message(0, second=2), message(1, second=1, landing=2))
    warehouse.run(FILE, folder_landing=1)
    warehouse.run(FILE, folder_landing=2)
    assert warehouse.query(ROWS) == [(0, 1, 2)]


def test_each_message_falls_once_whatever_comes_later(warehouse: Warehouse) -> None:
    """The second landing replaces the first message, the third one the second: nothing is listed twice."""
    warehouse.given("flat.messages_v1", *(message(n, second=n, landing=n + 1) for n in range(3)))
    for landing in (1, 2, 3):
        warehouse.run(FILE, folder_landing=landing)
    assert warehouse.query(ROWS) == [(0, 0, 2), (0, 1, 3)]


def test_folders_that_are_filled_together_name_the_landing_of_each(warehouse: Warehouse) -> None:
    """Landings that were put together keep their numbers, and so does the list."""
    together = {"compaction": 1, "last_landing": 3}
    warehouse.given("flat.messages_v1", *(message(n, second=n, landing=n + 1, **together) for n in range(3)))
    warehouse.run(FILE, folder_compaction=1, folder_landing=3, compaction=1, compacted=3)
    assert warehouse.query(ROWS) == [(0, 0, 2), (0, 1, 3)]


def test_a_landing_that_is_filled_late_does_not_look_ahead(warehouse: Warehouse) -> None:
    warehouse.given("flat.messages_v1", message(0, second=1), message(1, second=2), message(2, second=3, landing=2))
    warehouse.run(FILE, folder_landing=1)
    assert warehouse.query(ROWS) == [(0, 0, 1)]


def test_readers_see_the_list_up_to_the_published_landing(warehouse: Warehouse) -> None:
    warehouse.given("flat.messages_v1", *(message(n, second=n, landing=n + 1) for n in range(3)))
    for landing in (1, 2, 3):
        warehouse.run(FILE, folder_landing=landing)
    warehouse.run("0_ops/published.sql", landing=2)
    assert warehouse.query("SELECT kafka_offset FROM flat.superseded_messages") == [(0,)]
