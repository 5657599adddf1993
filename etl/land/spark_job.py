"""The Spark job of a landing: messages in, each checked, the lines of the raw tables out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from etl.errors import UsageError
from etl.land import check_message as check
from etl.land import raw_lines as lines
from etl.settings import Settings
from etl.store import contract

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

ACCEPTED, REJECTED = "assessments", "rejected_messages"
FILES, FILE_MESSAGES = 4, 1000  # of a landing at least, where it has that many messages for each
KAFKA_MS = 30_000  # how long Spark waits for a broker that went away


def messages(spark: SparkSession, settings: Settings, ranges: Sequence[dict[str, Any]]) -> DataFrame:
    """The messages of the ranges as a consumer of committed ones reads them from Kafka; a lost one is an error."""

    def offsets(end: str) -> str:
        return json.dumps({settings.topic: {str(row["kafka_partition"]): row[end] for row in ranges}})

    count = sum(row["end_offset"] - row["start_offset"] for row in ranges)
    return (
        spark.read.format("kafka")
        .option("kafka.bootstrap.servers", settings.bootstrap_servers)
        .option("subscribe", settings.topic)
        .option("startingOffsets", offsets("start_offset"))
        .option("endingOffsets", offsets("end_offset"))
        .option("includeHeaders", "true")
        .option("kafka.isolation.level", "read_committed")
        .option("kafka.default.api.timeout.ms", KAFKA_MS)
        .option("kafkaConsumer.pollTimeoutMs", KAFKA_MS)
        .option("fetchOffset.numRetries", 1)
        .option("failOnDataLoss", "true")
        .option("minPartitions", max(1, min(FILES, count // FILE_MESSAGES)))
        .load()
        .selectExpr("topic", "partition", "offset", "UNIX_MILLIS(timestamp) AS timestamp", "key", "headers", "value")
    )


def checked(spark: SparkSession, found: DataFrame, landing: int) -> DataFrame:
    """The lines of the raw tables that such messages make, landed by this landing: (table, line, kafka_partition)."""
    return found.mapInArrow(_checker(payload(spark), landing), "`table` STRING, line STRING, kafka_partition INT")


def write(made: DataFrame, staging: str, partitions: Sequence[int]) -> dict[tuple[int, str], int]:
    """Write lines below `staging`, a folder per table; returns their count per Kafka partition and table."""
    from pyspark.sql import Observation, functions

    seen = Observation()
    counts = [
        functions.count_if((functions.col("kafka_partition") == partition) & (functions.col("table") == table)).alias(
            f"{partition} {table}"
        )
        for partition in partitions
        for table in (ACCEPTED, REJECTED)
    ]
    counted = made.observe(seen, *counts).select("table", "line")
    packed = counted.write.partitionBy("table").option("compression", "gzip")
    packed.option("zlib.compress.level", "BEST_SPEED").text(staging)  # a third of the time for a fifth more bytes
    found = seen.get
    return {
        (partition, table): found[f"{partition} {table}"] for partition in partitions for table in (ACCEPTED, REJECTED)
    }


def payload(spark: SparkSession) -> str:
    """The contract as JSON: the type of the payload column in the newest raw table.

    Raises UsageError where the table is of another type than its file says.
    """
    file = contract.newest()
    kind = spark.table(file.table).schema[contract.COLUMN].dataType
    if kind.simpleString().lower() != dict(file.columns)[contract.COLUMN].replace("`", ""):
        raise UsageError(
            f"{file.path} changes the contract of {file.table}, which is released",
            f"take the change back and put it into a new file {file.following}",
        )
    return kind.json()


def unfit(spark: SparkSession, folders: Sequence[str]) -> list[tuple[int, int, str]]:
    """(Kafka partition, offset, reason) of landed messages that do not fit the newest contract: one at most."""
    landed = spark.read.text(list(folders)).select("value")
    misfits = landed.mapInArrow(_rechecker(payload(spark)), "kafka_partition INT, kafka_offset BIGINT, reason STRING")
    return [(row[0], row[1], row[2]) for row in misfits.take(1)]


def _by_value() -> None:
    """The workers need msgspec, but not this project."""
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(check)
    cloudpickle.register_pickle_by_value(lines)


Batches = Iterator["pa.RecordBatch"]


def _checker(payload: str, landing: int) -> Callable[[Batches], Batches]:
    """What runs in Spark's Python workers: messages in, lines of the raw tables out."""
    _by_value()

    def run(batches: Batches) -> Batches:
        import pyarrow as pa

        fits = check.contract(payload)
        for batch in batches:
            tables, made = [], []
            for *known, headers, value in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                found = fits.check(value)
                pairs = [(one["key"], one["value"]) for one in headers or ()]
                envelope = lines.Envelope._make((landing, *known, pairs))
                if isinstance(found, check.Accepted):
                    tables.append(ACCEPTED)
                    made.append(lines.line_accepted(envelope, found))
                else:
                    tables.append(REJECTED)
                    made.append(lines.line_rejected(envelope, found.reason, value))
            yield pa.RecordBatch.from_arrays(
                [pa.array(tables, pa.string()), pa.array(made, pa.string()), batch.column(1)],
                names=["table", "line", "kafka_partition"],
            )

    return run


def _rechecker(payload: str) -> Callable[[Batches], Batches]:
    """What runs in Spark's Python workers: lines of accepted messages in, those out that a contract does not fit."""
    _by_value()

    def run(batches: Batches) -> Batches:
        import pyarrow as pa

        fits = check.contract(payload)
        for batch in batches:
            misfits = []
            for line in batch.column(0).to_pylist():
                found = fits.check(lines.message_of(line))
                if isinstance(found, check.Rejected):
                    row = json.loads(line)
                    misfits.append((row["kafka_partition"], row["kafka_offset"], found.reason))
            columns = [[row[at] for row in misfits] for at in range(3)]
            yield pa.RecordBatch.from_arrays(
                [pa.array(one, kind) for one, kind in zip(columns, (pa.int32(), pa.int64(), pa.string()), strict=True)],
                names=["kafka_partition", "kafka_offset", "reason"],
            )

    return run
