"""The Spark job of a landing: messages in, each checked, the lines of the raw tables out."""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from etl import check, contract, lines
from etl.errors import ServerError, UsageError
from etl.hive import reduced
from etl.settings import Settings
from etl.terminal import Bar

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

ACCEPTED, REJECTED = "assessments", "rejected_messages"
BATCH_BYTES = 16 << 20  # of messages at once in a worker: a column of Arrow holds 2 GB, a worker's memory less
RETRIES = 7  # of a call to the Connect server, over some 10 seconds
FILES, FILE_MESSAGES = 4, 1000  # of a landing at least, where it has that many messages for each
KAFKA_MS = 30_000  # how long Spark waits for a broker that went away


@contextlib.contextmanager
def session(settings: Settings, identity: str, task: str, bar: Bar | None = None) -> Iterator[SparkSession]:
    """A Spark session for a task, which ends with the block and with it whatever runs in it; its jobs show on the bar.

    Raises ServerError when it cannot be had, or a job in it fails.
    """
    from pyspark.errors import PySparkException

    spark = _opened(settings, identity)
    try:
        spark.conf.set("spark.sql.execution.arrow.maxBytesPerBatch", BATCH_BYTES)
        if bar is not None and settings.spark.startswith("sc://"):  # a driver of its own reports nothing
            spark.registerProgressHandler(bar.stages)  # type: ignore[arg-type]  # any callable will do
        yield spark
    except PySparkException as error:
        raise ServerError(
            f"Spark could not {task}: {_cause(error)}", "see ./warehouse status, then run it again"
        ) from error
    finally:
        with contextlib.suppress(Exception):  # the server may be gone, and what failed was raised already
            spark.stop()


def end(settings: Settings, identity: str) -> None:
    """End the job that a killed loader may have left running on a Connect server, in the session of this name."""
    if settings.spark.startswith("sc://"):
        with contextlib.suppress(Exception):  # it has ended long since, as nearly always
            _opened(settings, identity).stop()


def _opened(settings: Settings, identity: str) -> SparkSession:
    """A Connect client for `sc://`, in a session of this name; else a driver of its own on that master."""
    from pyspark.sql import SparkSession

    if not settings.spark.startswith("sc://"):
        return SparkSession.builder.master(settings.spark).appName("warehouse land").enableHiveSupport().getOrCreate()
    server, _, options = settings.spark.partition(";")
    address = server.removeprefix("sc://").rstrip("/")
    try:
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=10).close()
        options = ";".join(filter(None, (options, f"session_id={identity}")))
        spark = SparkSession.builder.remote(f"sc://{address}/;{options}").getOrCreate()
    except (OSError, ValueError) as error:
        raise ServerError(
            f"no Spark Connect server at {address}: {error}",
            "start it with ./warehouse up or set WAREHOUSE_SPARK",
        ) from error
    from pyspark.sql.connect.client.retries import DefaultPolicy

    # By default a client waits ten minutes for a server that went away.
    spark.client.set_retry_policies([DefaultPolicy(max_retries=RETRIES, max_backoff=2_000)])
    return spark


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


def _cause(error: Exception) -> str:
    """What went wrong, of Spark's many lines: the last that names an error of Python, else the first that says much.

    Where a task failed to write, HDFS's own words are the last cause of the server's trace.
    """
    found = [line.strip() for line in str(error).splitlines() if line.strip()] or ["no cause given"]
    named = [line for line in found if re.match(r"[\w.]+(Error|Exception): ", line)]
    if named:
        return named[-1][:300]
    trace = getattr(error, "getStackTrace", lambda: None)() or ""
    causes = re.findall(r"^Caused by: (.+)$", trace, re.MULTILINE)
    last = reduced(causes[-1]) if causes else ""
    return ": ".join(filter(None, (found[0][:300], last if last not in found[0] else "")))


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
