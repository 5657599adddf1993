"""The lower bound of a landing: the topic to gzipped lines of text by Spark, with no message parsed.

It reads the topic in as many slices as a landing does, so that every core has work.

Usage: python -m benchmarks.contestants.plain_copy FOLDER THREADS
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.contestants import session
from etl.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SLICES = 4  # as etl/land/spark_job.py asks for


def work(spark: SparkSession, settings: Settings, target: str) -> None:
    """Kafka to text."""
    messages = session.values(spark, settings, minPartitions=SLICES)
    messages.write.mode("overwrite").option("compression", "gzip").text(target)


def count(spark: SparkSession, target: str) -> dict[str, int]:
    """The lines written."""
    return {"messages": spark.read.text(target).count()}


if __name__ == "__main__":
    session.run(sys.argv[1], int(sys.argv[2]), work, count)
