"""The tables compared with an independent computation over the same messages."""

from __future__ import annotations

import datetime
import math
import time
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from oracle import Message, tables

from etl.servers.hive import Hive
from etl.settings import Settings

LEFT_OUT = {"landing", "compaction", "last_landing", "release", "unknown_fields", "oddities"}
TABLES = (
    "flat.messages",
    "flat.superseded_messages",
    "flat.attempts",
    "flat.attempt_questions",
    "flat.question_options",
    "marts.exams",
    "marts.questions",
    "marts.daily_activity",
)


def consumed(settings: Settings) -> list[Message]:
    """Every message of the topic, with its coordinates."""
    consumer = Consumer({"bootstrap.servers": settings.bootstrap_servers, "group.id": "end-to-end"})
    try:
        topic = consumer.list_topics(settings.topic, 10).topics[settings.topic]
        ends = {
            number: consumer.get_watermark_offsets(TopicPartition(settings.topic, number), 10)
            for number in topic.partitions
        }
        consumer.assign([TopicPartition(settings.topic, number, ends[number][0]) for number in ends])
        expected = sum(end - first for first, end in ends.values())
        messages: list[Message] = []
        deadline = time.monotonic() + 30
        while len(messages) < expected and time.monotonic() < deadline:
            for message in consumer.consume(2000, 0.5):
                partition, offset = message.partition(), message.offset()
                assert message.error() is None and partition is not None and offset is not None
                messages.append(Message(settings.topic, partition, offset, message.timestamp()[1], message.value()))
        assert len(messages) == expected
        return messages
    finally:
        consumer.close()


def rows(hive: Hive, table: str) -> list[dict[str, Any]]:
    """The rows that readers see, without the columns about their landing and without free text."""
    stored = hive.query(f"SELECT * FROM {table}").dictionaries()
    return [{name: value for name, value in row.items() if name not in LEFT_OUT} for row in stored]


def plain(some: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Dates as the HiveServer2 protocol gives them: as text."""
    return [
        {name: str(value) if type(value) is datetime.date else value for name, value in row.items()} for row in some
    ]


def in_order(some: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sorted by all that is exact."""

    def key(row: dict[str, Any]) -> list[str]:
        return [repr(row[name]) for name in sorted(row) if not isinstance(row[name], float)]

    return sorted(some, key=key)


def is_same(first: Any, other: Any) -> bool:
    if isinstance(first, float) and isinstance(other, float):
        return math.isclose(first, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(first == other) and type(first) is type(other)


def assert_same(actual: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Row for row and column for column; doubles to 1e-9."""
    differences = [
        {
            name: (row.get(name), other.get(name))
            for name in {**row, **other}
            if not is_same(row.get(name), other.get(name))
        }
        for row, other in zip(in_order(actual), in_order(plain(expected)), strict=False)
    ]
    different = [difference for difference in differences if difference]
    assert not different, f"{len(different)} rows differ (actual, expected), as {different[:3]}"
    assert len(actual) == len(expected)


def assert_tables_are_right(settings: Settings, hive: Hive) -> None:
    expected = tables(consumed(settings))
    for table in TABLES:
        assert_same(rows(hive, table), expected[table])
