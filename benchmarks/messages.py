"""The messages of a size: one generated file cut into the first part and later ones, and the expected counts."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from benchmarks.measure import BenchmarkError

FEW = 10  # messages of the run that shows the fixed cost
ANSWER_SECONDS, SILENCE_SECONDS = 20, 60


def more(attempts: int) -> int:
    """How many messages come later in one round: a hundredth."""
    return max(attempts // 100, 1)


def needed(attempts: int, rounds: int) -> int:
    """How many messages are generated: the first part, and for each round a hundredth and a few."""
    return attempts + rounds * (more(attempts) + FEW)


def cut(source: Path, attempts: int, rounds: int, folder: Path) -> tuple[Path, list[tuple[Path, Path]]]:
    """Cut the generated file in its order, which is that of time: (first part, [(a hundredth, a few) per round])."""
    with source.open("rb") as lines:
        first = _part(lines, attempts, folder / "first.json")
        later = [
            (
                _part(lines, more(attempts), folder / f"later-{number}.json"),
                _part(lines, FEW, folder / f"few-{number}.json"),
            )
            for number in range(rounds)
        ]
    return first, later


def _part(lines: BinaryIO, count: int, path: Path) -> Path:
    with path.open("wb") as out:
        written = sum(1 for line in itertools.islice(lines, count) if out.write(line))
    if written != count:
        raise BenchmarkError(f"{written} messages were generated where {count} are needed")
    return path


@dataclass
class Expected:
    """The expected counts, computed in plain Python; of the messages with one keen_id the last one counts."""

    messages: int = 0
    events: dict[Any, tuple[int, int]] = field(default_factory=dict)

    def add(self, lines: Iterable[bytes]) -> Expected:
        """Count messages as well."""
        for line in lines:
            payload = json.loads(line)
            questions = (payload.get("sequences") or {}).get("questions") or []
            options = sum(len((question or {}).get("options") or []) for question in questions)
            self.events[payload.get("keen_id") or self.messages] = len(questions), options
            self.messages += 1
        return self

    def add_file(self, path: Path) -> Expected:
        """Count the messages of a file as well."""
        with path.open("rb") as lines:
            return self.add(lines)

    @property
    def counts(self) -> dict[str, int]:
        """The rows of the three flat tables."""
        return {
            "attempts": len(self.events),
            "questions": sum(questions for questions, _ in self.events.values()),
            "options": sum(options for _, options in self.events.values()),
        }


def check(who: str, counts: dict[str, int], expected: dict[str, int]) -> None:
    """Raise BenchmarkError where a contestant's counts are not the expected ones."""
    if counts != expected:
        raise BenchmarkError(f"{who} made {counts}, expected are {expected}")


def dump(bootstrap_servers: str, topic: str, path: Path) -> float:
    """Write all messages of a topic with their coordinates as JSON lines; returns the seconds it took."""
    began = time.monotonic()
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "benchmarks", "enable.auto.commit": False})
    try:
        with path.open("wb") as out:
            for number in consumer.list_topics(topic, ANSWER_SECONDS).topics[topic].partitions:
                _dump(consumer, topic, number, out)
    finally:
        consumer.close()
    return time.monotonic() - began


def _dump(consumer: Consumer, topic: str, number: int, out: BinaryIO) -> None:
    first, end = consumer.get_watermark_offsets(TopicPartition(topic, number), ANSWER_SECONDS)
    consumer.assign([TopicPartition(topic, number, first)])
    following = first
    heard = time.monotonic()
    while following < end:
        for message in consumer.consume(1000, 1):
            offset, value = message.offset(), message.value()
            if message.error() or offset is None or value is None:
                raise BenchmarkError(f"partition {number} of {topic} cannot be read at offset {following}")
            place = f'"kafka_topic":"{topic}","kafka_partition":{number},"kafka_offset":{offset}'
            out.write(f'{{{place},"kafka_timestamp":{message.timestamp()[1]},"payload":'.encode() + value + b"}\n")
            following, heard = offset + 1, time.monotonic()
        if time.monotonic() - heard > SILENCE_SECONDS:
            raise BenchmarkError(f"partition {number} of {topic} gave nothing behind offset {following}")


def forget(bootstrap_servers: str, topic: str) -> None:
    """Delete a topic that was only published to be measured."""
    client = AdminClient({"bootstrap.servers": bootstrap_servers})
    client.delete_topics([topic], operation_timeout=ANSWER_SECONDS)[topic].result(ANSWER_SECONDS)
