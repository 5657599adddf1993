"""`land --follow` under a steady load: the seconds from the publication of a message to a query that shows it."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import os
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import KafkaError, Message, Producer

from benchmarks.measure import WORDS, BenchmarkError
from benchmarks.messages import Expected
from benchmarks.ours import check_tables
from benchmarks.stack import Stack
from benchmarks.steps import Size
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import PROJECT
from etl.store import landings

POLL = 1.0  # seconds between an answer to the reader and its next query
PATIENCE = 300.0  # seconds until a message is given up
VISIBLE = """SELECT kafka_partition, MAX(kafka_offset) AS last_offset, MAX(landing) AS landing
FROM flat.attempts WHERE landing > {landing} GROUP BY kafka_partition"""
STEPS = """WITH landed AS (SELECT landing, MAX(landed_at) AS landed_at FROM raw.landings GROUP BY landing),
validated AS (SELECT release, MIN(validated_at) AS validated_at FROM ops.expectation_results GROUP BY release)
SELECT landed.landed_at, validated.validated_at, published.decided_at
FROM ops.releases AS published
INNER JOIN landed ON published.landing = landed.landing
INNER JOIN validated ON published.release = validated.release
WHERE published.action = 'published' AND published.landing > {landing}
ORDER BY published.landing"""


@dataclass
class Publisher:
    """Publishes the lines of a file at a steady rate; `at` has the time of each offset that the broker confirmed."""

    stack: Stack
    rate: float
    at: dict[tuple[int, int], float] = field(default_factory=dict)

    def run(self, path: Path) -> None:
        """Publish them all. Raises BenchmarkError where the broker refuses one."""
        producer = Producer({"bootstrap.servers": self.stack.settings.bootstrap_servers})
        began = time.monotonic()
        refused: list[KafkaError] = []
        with path.open("rb") as lines:
            for number, line in enumerate(lines):
                while (early := began + number / self.rate - time.monotonic()) > 0:
                    producer.poll(early)
                now = time.monotonic()

                def confirm(error: KafkaError | None, message: Message, now: float = now) -> None:
                    partition, offset = message.partition(), message.offset()
                    if error is not None or partition is None or offset is None:
                        refused.append(error or KafkaError(KafkaError.UNKNOWN))
                    else:
                        self.at[partition, offset] = now

                producer.produce(self.stack.settings.topic, line.rstrip(b"\n"), on_delivery=confirm)
        producer.flush()
        if refused:
            raise BenchmarkError(f"the broker refused {len(refused)} messages: {refused[0]}")


def run(stack: Stack, size: Size, expected: Expected, path: Path, rate: float) -> None:
    """Publish a file at a rate while `land --follow` runs, and query until every message is visible."""
    with path.open("rb") as lines:
        messages = sum(1 for _ in lines)
    publisher = Publisher(stack, rate)
    before = landings.current(Hdfs(stack.settings)).last
    with following(stack, path.parent / "follow.log") as process:
        publishing = threading.Thread(target=publisher.run, args=(path,), daemon=True)
        publishing.start()
        seconds = sorted(read(stack, publisher, process, messages))
    for name, value in {
        "median": statistics.median(seconds),
        "p95": seconds[int(0.95 * len(seconds))],
        "slowest": seconds[-1],
    }.items():
        size.add(f"follow.{name}", value, messages=messages)
    size.follow_rate = rate
    add_steps(stack, size, before)
    check_tables(stack, expected.add_file(path))


def add_steps(stack: Stack, size: Size, before: int) -> None:
    """Add the parts of each step after the landing `before`, by the times that the warehouse itself records."""
    with Hive(stack.settings) as hive:
        rows = [
            [datetime.datetime.fromisoformat(at) for at in row] for row in hive.query(STEPS.format(landing=before)).rows
        ]
    for (*_, ended), (landed, validated, published) in itertools.pairwise(rows):
        parts = {"land": landed - ended, "tables": validated - landed, "validation": published - validated}
        for name, part in parts.items():
            size.add(f"follow.{name}", part.total_seconds(), messages=0)


def read(stack: Stack, publisher: Publisher, process: subprocess.Popen[bytes], messages: int) -> list[float]:
    """Query like a reader until all `messages` are visible; the seconds that each took since its publication.

    A message that a newer one of its attempt replaced counts as visible with those after it.
    """
    seconds: list[float] = []
    landing, following = 0, dict[int, int]()
    changed_at = time.monotonic()
    with Hive(stack.settings) as hive:
        for partition, offset, last in hive.query(VISIBLE.format(landing=0)).rows:
            following[partition], landing = offset + 1, max(landing, last)
        while len(seconds) < messages:
            rows = hive.query(VISIBLE.format(landing=landing)).rows
            now = time.monotonic()
            for partition, offset, last in rows:
                first = following.get(partition, 0)
                times = [publisher.at[partition, place] for place in range(first, offset + 1)]
                seconds += [now - at for at in times]
                following[partition], landing, changed_at = offset + 1, max(landing, last), now
            if process.poll() is not None or now - changed_at > PATIENCE:
                raise BenchmarkError(f"land --follow showed {len(seconds)} of {messages} messages, then none")
            time.sleep(POLL)
    return seconds


@contextlib.contextmanager
def following(stack: Stack, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`land --follow` while the block runs, its lines in a file. Raises BenchmarkError where it fails."""
    command = [str(PROJECT / "warehouse"), "land", "--follow"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **stack.environment}
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait()
    if code:
        raise BenchmarkError(f"land --follow ended with {code}: {log.read_text(encoding='utf-8')[-WORDS:]}")
