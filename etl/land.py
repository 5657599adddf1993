"""Moves messages from Kafka to the raw JSON tables on HDFS, each exactly once.

A landing is one folder, `landings/landing=N`, that appears on HDFS by one rename and never changes. It holds
the accepted messages, the rejected ones and, as the rows of raw.landings, the offsets it covers. The newest
landing is the only record of where the next one starts, so no second state can disagree with the data. The
rename fails where landing N is there already: of two loaders that read the same offsets, one wins.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from etl import check, kafka, sqlfile
from etl.errors import ExpectationError, ServerError, WarehouseError
from etl.hdfs import Hdfs
from etl.hive import Hive
from etl.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

ACCEPTED, REJECTED, LANDINGS = "assessments", "rejected_messages", "landings"
FOLDER = "landings"  # HDFS folder of all landings, beside the tables'


@dataclass(frozen=True)
class Landed:
    """What one landing brought: its number (0 for none) and a row per Kafka partition, as in raw.landings."""

    landing: int
    partitions: list[dict[str, Any]]

    @property
    def accepted(self) -> int:
        """Messages that fit the contract."""
        return sum(row["accepted_count"] for row in self.partitions)

    @property
    def spans(self) -> str:
        """The offsets landed, in words, behind a comma; empty when there were none."""
        return "".join(
            f", offsets {row['start_offset']}-{row['end_offset'] - 1} of partition {row['kafka_partition']}"
            for row in self.partitions
            if row["end_offset"] > row["start_offset"]
        )

    @property
    def rejected(self) -> int:
        """Messages kept in raw.rejected_messages."""
        return sum(row["rejected_count"] for row in self.partitions)


def land(settings: Settings, say: Callable[[str], None]) -> Landed:
    """Land everything between the end of the newest landing and the end of the topic.

    Raises WarehouseError when another loader is at work, or the topic is not the one that was landed.
    """
    with alone(settings, "land"), Hive(settings) as hive:
        hdfs = Hdfs(settings)
        numbers = publish_landings(settings, hive, hdfs)
        last = max(numbers, default=0)
        before = _manifest(hdfs, last)
        topic = kafka.describe(settings)
        ranges = _ranges(settings, topic, before)
        if not any(row["end_offset"] > row["start_offset"] for row in ranges):
            return Landed(0, [])
        # One folder per loader, which only the holder of this home's lock uses: a dead one's leftover goes here.
        home = hashlib.sha256(str(settings.home.resolve()).encode()).hexdigest()[:12]
        staging = (FOLDER, f".staging-{socket.gethostname()}-{home}")
        hdfs.remove(*staging)
        say(f"landing {sum(row['end_offset'] - row['start_offset'] for row in ranges):,} offsets of {topic.name}")
        landed = _stage(settings, f"{settings.warehouse_root}/{'/'.join(staging)}", ranges)
        rows = [{**row, **landed.get(row["kafka_partition"], NOTHING)} for row in ranges]
        hdfs.put_rows(rows, *staging, f"table={LANDINGS}", "landing.json")
        if not hdfs.rename_new(staging, (FOLDER, f"landing={last + 1}")):
            raise WarehouseError(
                f"another loader landed landing {last + 1} first; nothing of this one was kept",
                "run ./warehouse land again",
            )
        publish_landings(settings, hive, hdfs)
        return Landed(last + 1, rows)


@contextlib.contextmanager
def alone(settings: Settings, verb: str) -> Iterator[None]:
    """Tell a second `verb` on this machine at once; between machines a landing's rename decides."""
    settings.home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings.home / f"{verb}.lock", timeout=0):
            yield
    except Timeout:
        raise WarehouseError(f"another {verb} is at work here", "wait for it to end and run it again") from None


def publish_landings(settings: Settings, hive: Hive, hdfs: Hdfs) -> list[int]:
    """Make the raw tables where they are missing, and every landing on HDFS a partition of each.

    Returns the numbers of all landings. A loader that died between its rename and here is mended by the next.
    """
    raw = {file.path.stem: file for file in sqlfile.files("1_raw")}
    for file in raw.values():
        for statement in file.statements({"warehouse_root": settings.warehouse_root}):
            hive.query(statement)
    numbers = [int(name.removeprefix("landing=")) for name in hdfs.names(FOLDER) if name.startswith("landing=")]
    for file in raw.values():
        known = {row[0] for row in hive.query(f"SHOW PARTITIONS {file.table}").rows}
        folder = file.name.partition(".")[2]
        missing = [
            f"PARTITION (landing = {number}) LOCATION "
            f"'{settings.warehouse_root}/{FOLDER}/landing={number}/table={folder}'"
            for number in sorted(numbers)
            if f"landing={number}" not in known
        ]
        if missing:
            hive.query(f"ALTER TABLE {file.table} ADD IF NOT EXISTS {' '.join(missing)}")
    return numbers


def _manifest(hdfs: Hdfs, landing: int) -> list[dict[str, Any]]:
    """The rows of raw.landings that a landing holds."""
    return hdfs.rows(FOLDER, f"landing={landing}", f"table={LANDINGS}", "landing.json") if landing else []


NOTHING = {"accepted_count": 0, "rejected_count": 0}


def _ranges(settings: Settings, topic: kafka.Topic, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """From where to where each Kafka partition is to be read, as rows of raw.landings.

    Raises WarehouseError for a topic that was made anew, ExpectationError for offsets that Kafka has lost.
    """
    ends = {row["kafka_partition"]: row["end_offset"] for row in before}
    if before and before[0]["topic_id"] != topic.id:
        raise WarehouseError(
            f"topic {topic.name} is not the one landed so far: its id is {topic.id}, not {before[0]['topic_id']}",
            "its offsets began anew; land it into another WAREHOUSE_WAREHOUSE_ROOT",
        )
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    rows = []
    for partition, (first, end) in sorted(topic.offsets.items()):
        start = ends.get(partition, first)
        if start < first or end < start:
            raise ExpectationError(
                f"partition {partition} of {topic.name} holds offsets {first} to {end}, "
                f"but landing goes on at {start}: messages were lost in Kafka",
                "find out what removed them before landing on",
            )
        rows.append(
            {
                "kafka_topic": settings.topic,
                "topic_id": topic.id,
                "kafka_partition": partition,
                "start_offset": start,
                "end_offset": end,
                "landed_at": now,
            }
        )
    return rows


def session(settings: Settings) -> SparkSession:
    """A Spark session: a Connect client for `sc://`, else a driver of its own on that master.

    Raises ServerError when it cannot be had.
    """
    from pyspark.sql import SparkSession

    if not settings.spark.startswith("sc://"):
        return SparkSession.builder.master(settings.spark).appName("warehouse land").enableHiveSupport().getOrCreate()
    address = settings.spark.removeprefix("sc://").partition("/")[0]
    try:
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=10).close()
        return SparkSession.builder.remote(settings.spark).getOrCreate()
    except (OSError, ValueError) as error:
        raise ServerError(
            f"no Spark Connect server at {address}: {error}",
            "start it with ./warehouse up or set WAREHOUSE_SPARK",
        ) from error


def _stage(settings: Settings, staging: str, ranges: list[dict[str, Any]]) -> dict[int, dict[str, int]]:
    """Write the checked messages of the ranges below `staging`; returns the counts per Kafka partition."""
    from pyspark.errors import PySparkException
    from pyspark.sql import Observation, functions

    spark = session(settings)
    try:
        messages = _messages(spark, settings, ranges)
        payload = spark.table(settings.raw_table).schema["payload"].dataType.json()
        lines = messages.mapInArrow(_checker(payload), "`table` STRING, line STRING, kafka_partition INT")
        seen = Observation()
        counts = [
            functions.count_if(
                (functions.col("kafka_partition") == row["kafka_partition"]) & (functions.col("table") == table)
            ).alias(f"{row['kafka_partition']} {table}")
            for row in ranges
            for table in (ACCEPTED, REJECTED)
        ]
        counted = lines.observe(seen, *counts).select("table", "line")
        counted.write.partitionBy("table").option("compression", "gzip").text(staging)
        found = seen.get
    except PySparkException as error:
        raise ServerError(
            f"Spark could not land {settings.topic}: {_cause(error)}",
            "see ./warehouse status",
        ) from error
    finally:
        spark.stop()
    return {
        row["kafka_partition"]: {
            "accepted_count": found[f"{row['kafka_partition']} {ACCEPTED}"],
            "rejected_count": found[f"{row['kafka_partition']} {REJECTED}"],
        }
        for row in ranges
    }


def _cause(error: Exception) -> str:
    """What went wrong, of Spark's many lines: the last that names an error of Python, else the first that says much."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ["no cause given"]
    named = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    return (named[-1] if named else lines[0])[:300]


def _messages(spark: SparkSession, settings: Settings, ranges: list[dict[str, Any]]) -> DataFrame:
    """The messages of the ranges as Spark reads them from Kafka; a lost one is an error."""

    def offsets(end: str) -> str:
        return json.dumps({settings.topic: {str(row["kafka_partition"]): row[end] for row in ranges}})

    return (
        spark.read.format("kafka")
        .option("kafka.bootstrap.servers", settings.bootstrap_servers)
        .option("subscribe", settings.topic)
        .option("startingOffsets", offsets("start_offset"))
        .option("endingOffsets", offsets("end_offset"))
        .option("kafka.isolation.level", "read_committed")
        .option("failOnDataLoss", "true")
        .option("minPartitions", 4)
        .load()
        .selectExpr("topic", "partition", "offset", "UNIX_MILLIS(timestamp) AS timestamp", "key", "value")
    )


def _checker(payload: str) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What runs in Spark's Python workers: messages in, lines of the raw tables out."""
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(check)  # the workers need msgspec, but not this project

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        contract = check.contract(payload)
        for batch in batches:
            tables, lines = [], []
            for *place, key, value in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                found, where = contract.check(value), tuple(place)
                if isinstance(found, check.Accepted):
                    tables.append(ACCEPTED)
                    lines.append(check.line_accepted(where, found))
                else:
                    tables.append(REJECTED)
                    lines.append(check.line_rejected(where, found.reason, value, key))
            yield pa.RecordBatch.from_arrays(
                [pa.array(tables, pa.string()), pa.array(lines, pa.string()), batch.column(1)],
                names=["table", "line", "kafka_partition"],
            )

    return run
