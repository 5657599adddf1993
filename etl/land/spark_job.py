"""Runs the Spark job of a landing: reads messages, checks each, writes the lines of the raw tables."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from etl.errors import UsageError
from etl.land import raw_lines
from etl.settings import Settings
from etl.sqlfile import SqlFile
from etl.store import contract
from etl.store.erased_attempts import Erased

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ACCEPTED, REJECTED = raw_lines.ACCEPTED, raw_lines.REJECTED  # the raw tables that hold messages
ERASED = raw_lines.ERASED  # counted, and written nowhere
COUNTED = ACCEPTED, REJECTED, ERASED
COLUMNS = ("topic", "partition", "offset", "UNIX_MILLIS(timestamp) AS timestamp", "key", "headers", "value")
LIMIT = re.compile(r"([0-9,]+) bytes of UTF-8 per text")
FILES, FILE_MESSAGES = 4, 1000  # of a landing at least, where it has that many messages for each
KAFKA_MS = 30_000  # how long Spark waits for a broker that went away


def messages(spark: SparkSession, settings: Settings, ranges: Sequence[dict[str, Any]]) -> DataFrame:
    """Return the messages of the ranges as a consumer of committed ones reads them; a lost one is an error."""

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
        .selectExpr(*COLUMNS)
    )


def checked(spark: SparkSession, messages: DataFrame, landing: int, erased: Erased | None = None) -> DataFrame:
    """Return the lines of the raw tables for such messages, landed by this landing: worker.LINES."""
    from etl.land import worker

    file = contract.newest()
    _pickle_by_value()
    return messages.mapInArrow(
        worker.checker((_payload_type(spark, file), *limits(file)), landing, erased), worker.LINES
    )


def write(lines: DataFrame, staging: str, partitions: Sequence[int]) -> dict[tuple[int, str], int]:
    """Write lines below `staging`, a folder per table; returns their count per Kafka partition and table."""
    from pyspark.sql import Observation, functions

    observation = Observation()
    counts = [
        functions.count_if((functions.col("kafka_partition") == partition) & (functions.col("table") == table)).alias(
            f"{partition} {table}"
        )
        for partition in partitions
        for table in COUNTED
    ]
    counted = lines.observe(observation, *counts).where(f"`table` <> '{ERASED}'").select("table", "line")
    packed = counted.write.partitionBy("table").option("compression", "gzip")
    packed.option("zlib.compress.level", "BEST_SPEED").text(staging)  # a third of the time for a fifth more bytes
    observed = observation.get
    return {(partition, table): observed[f"{partition} {table}"] for partition in partitions for table in COUNTED}


def limits(file: SqlFile) -> tuple[list[str], int]:
    """Return the required fields and the longest text, in bytes, that the header of a raw table's file states.

    Raises UsageError where the header does not say.
    """
    required = file.header.get("Required", "")
    limit = LIMIT.match(file.header.get("Limit", ""))
    if not required or not limit:
        raise UsageError(
            f"{file.path} does not say which messages its table takes",
            "add the lines `-- Required: field, field` and `-- Limit: 65,536 bytes of UTF-8 per text`",
        )
    return [name.strip() for name in required.split(",")], int(limit[1].replace(",", ""))


def unfit(spark: SparkSession, folders: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return (Kafka partition, offset, reason) of landed messages that the newest type does not fit: one at most.

    Required fields and the limit hold for messages that are landed from now on.
    """
    from etl.land import worker

    _pickle_by_value()
    landed = spark.read.text(list(folders)).select("value")
    misfits = landed.mapInArrow(worker.rechecker(_payload_type(spark, contract.newest())), worker.MISFITS)
    return [(row[0], row[1], row[2]) for row in misfits.take(1)]


def _payload_type(spark: SparkSession, file: SqlFile) -> str:
    """Return the type of the payload column as JSON.

    Raises UsageError where the table has another type than its file.
    """
    type_ = spark.table(file.table).schema[contract.COLUMN].dataType
    if type_.simpleString().lower() != dict(file.columns)[contract.COLUMN].replace("`", ""):
        raise UsageError(
            f"{file.path} changes the contract of {file.table}, which is released",
            f"take the change back and put it into a new file {file.following}",
        )
    return type_.json()


def _pickle_by_value() -> None:
    """Send these modules to the workers, which have msgspec and pyarrow but not this project."""
    from pyspark import cloudpickle

    from etl.land import check_message, message_fields, worker
    from etl.store import erased_attempts

    for module in (check_message, erased_attempts, message_fields, raw_lines, worker):
        cloudpickle.register_pickle_by_value(module)
