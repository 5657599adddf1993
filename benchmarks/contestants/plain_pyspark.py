"""The flat tables by PySpark alone: a dump of the topic by `spark.read.json`, DataFrames, three folders on HDFS.

The types are inferred, as they are where nothing is said. What is left without duplicates is cached for the tables.

Usage: python -m benchmarks.contestants.plain_pyspark FOLDER THREADS DUMP
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.contestants import session
from etl.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

TABLES = {"attempts": "attempts", "questions": "attempt_questions", "options": "question_options"}
TIME = (
    r"^((1[6-9]|[2-9][0-9])[0-9]{2}(-[0-9]{2}){2}T([01][0-9]|2[0-3])(:[0-5][0-9]){2})"
    r"(?=[.Z])([.][0-9]{1,6})?(?=[0-9]*Z\z)"
)
COUNTS = ("correct", "incorrect", "incomplete", "submitted", "unanswered")


def utc(text: str) -> Column:
    """A column of ISO-8601 in UTC as a timestamp, NULL where it is none."""
    from pyspark.sql import functions as f

    return f.try_to_timestamp(f.replace(f.regexp_extract(f.col(text), TIME, 0), f.lit("T"), f.lit(" ")))


def distinct(messages: DataFrame) -> DataFrame:
    """One row per event: of the messages with one keen_id the newest."""
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    place = ("kafka_offset", "kafka_timestamp", "kafka_partition", "kafka_topic")
    key = f.coalesce(
        f.concat(f.lit("id "), f.nullif(f.col("payload.keen_id"), f.lit(""))),
        f.concat_ws(" ", f.lit("at"), "kafka_topic", "kafka_partition", "kafka_offset"),
    )
    same = Window.partitionBy("event_key")
    newest = same.orderBy(*(f.desc(name) for name in place))
    return (
        messages.withColumn("event_key", key)
        .withColumn("message_count", f.count("*").over(same).cast("int"))
        .withColumn("newness", f.row_number().over(newest))
        .where("newness = 1")
        .withColumn("started_at", utc("payload.started_at"))
        .withColumn("started_date", f.to_date("started_at"))
    )


def attempts(events: DataFrame) -> DataFrame:
    """The columns of flat.attempts."""
    from pyspark.sql import functions as f

    counts = "payload.sequences.counts"
    whole = f.regexp_extract("payload.max_attempts", r"^([0-9]+)([.]0*)?\z", 1)
    seconds = f.regexp_extract("payload.keen_timestamp", r"^([0-9]{1,10})([.][0-9]+)?\z", 1)
    fraction = f.rpad(f.regexp_extract("payload.keen_timestamp", r"[.]([0-9]{1,6})", 1), 6, "0")
    return events.select(
        f.col("payload.user_exam_id").alias("attempt_id"),
        f.nullif(f.col("payload.keen_id"), f.lit("")).alias("event_id"),
        f.col("payload.base_exam_id").alias("exam_id"),
        "payload.exam_name",
        "started_at",
        f.timestamp_micros(f.concat(seconds, fraction).try_cast("bigint")).alias("received_at"),
        f.when(f.col("payload.certification").isin("true", "false"), f.col("payload.certification") == "true").alias(
            "certification"
        ),
        whole.try_cast("int").alias("max_attempts"),
        f.col("payload.sequences.id").alias("question_set_id"),
        f.col(f"{counts}.total").alias("question_count"),
        *(f.col(f"{counts}.{name}").alias(f"{name}_count") for name in COUNTS),
        f.col(f"{counts}.all_correct").alias("is_all_correct"),
        f.when(f.col(f"{counts}.total") > 0, f.col(f"{counts}.correct") / f.col(f"{counts}.total")).alias("score"),
        *("message_count", "kafka_topic", f.col("kafka_partition").cast("int"), "kafka_offset"),
        f.timestamp_millis("kafka_timestamp").alias("kafka_published_at"),
        "started_date",
    )


def exploded(events: DataFrame) -> DataFrame:
    """One row per question of an event."""
    from pyspark.sql import functions as f

    return events.select(
        f.col("payload.user_exam_id").alias("attempt_id"),
        "started_date",
        f.posexplode("payload.sequences.questions").alias("position", "question"),
    ).withColumn("question_position", f.col("position") + 1)


def questions(events: DataFrame) -> DataFrame:
    """The columns of flat.attempt_questions."""
    from pyspark.sql import functions as f

    return exploded(events).select(
        "attempt_id",
        "question_position",
        f.col("question.id").alias("question_id"),
        f.col("question.user_result").alias("result"),
        f.col("question.user_correct").alias("is_correct"),
        f.col("question.user_incomplete").alias("is_incomplete"),
        f.col("question.user_submitted").alias("is_submitted"),
        f.array_size("question.options").alias("option_count"),
        "started_date",
    )


def options(events: DataFrame) -> DataFrame:
    """The columns of flat.question_options."""
    from pyspark.sql import functions as f

    offered = exploded(events).select(
        "attempt_id",
        "question_position",
        "started_date",
        f.posexplode("question.options").alias("option", "choice"),
    )
    there = f.col("choice").isNotNull()
    return offered.select(
        "attempt_id",
        "question_position",
        (f.col("option") + 1).alias("option_position"),
        f.col("choice.id").alias("option_id"),
        f.col("choice.checked").alias("is_checked"),
        f.when(there, f.coalesce("choice.correct", f.lit(False))).alias("is_correct"),
        f.when(there, f.coalesce(f.col("choice.submitted") == 1, f.lit(False))).alias("is_submitted"),
        utc("choice.at").alias("clicked_at"),
        "started_date",
    )


def work(spark: SparkSession, settings: Settings, target: str) -> None:  # noqa: ARG001 (as every contestant)
    """The dump to three folders of Parquet."""
    events = distinct(spark.read.json(f"file://{sys.argv[3]}")).cache()
    for name, table in zip(TABLES.values(), (attempts(events), questions(events), options(events)), strict=True):
        table.write.mode("overwrite").option("compression", "zstd").parquet(f"{target}/{name}")
    events.unpersist()


def count(spark: SparkSession, target: str) -> dict[str, int]:
    """The rows written."""
    return {name: spark.read.parquet(f"{target}/{table}").count() for name, table in TABLES.items()}


if __name__ == "__main__":
    session.run(sys.argv[1], int(sys.argv[2]), work, count)
