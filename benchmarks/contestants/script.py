"""The script that most begin with: all of Kafka into an RDD of dictionaries, three columns of it into Parquet.

Nothing is checked, nothing is remembered: the next run reads everything again. The topic has one Kafka partition, so
one task reads it. `toDF()` infers the types from the first record; with Spark's defaults it takes the nested object
`sequences` for a map, whose values are of several types, and fails. Two ways out: the setting that makes structs of
nested objects, or to leave them out, which is less work and all that three scalar columns need.

Usage: python -m benchmarks.contestants.script FOLDER THREADS [scalars]
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import TYPE_CHECKING

from benchmarks.contestants import session
from etl.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def work(spark: SparkSession, settings: Settings, target: str) -> None:
    """Kafka to three columns in Parquet."""
    warnings.simplefilter("ignore")  # that dictionaries should be Rows
    spark.conf.set("spark.sql.pyspark.inferNestedDictAsStruct.enabled", "true")
    messages = session.values(spark, settings, startingOffsets="earliest", endingOffsets="latest").rdd
    extracted = messages.map(lambda message: json.loads(message.value))
    if "scalars" in sys.argv:
        extracted = extracted.map(
            lambda message: {name: message[name] for name in message if not isinstance(message[name], dict)}
        )
    extracted.toDF().select("keen_id", "exam_name", "started_at").write.mode("overwrite").parquet(target)


def count(spark: SparkSession, target: str) -> dict[str, int]:
    """The rows written."""
    return {"messages": spark.read.parquet(target).count()}


if __name__ == "__main__":
    session.run(sys.argv[1], int(sys.argv[2]), work, count)
