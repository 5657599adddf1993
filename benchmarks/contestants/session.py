"""A Spark of a contestant's own: a local driver with as many threads and as much heap as the stack's Spark server."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from etl import settings as settings_module
from etl.servers.hdfs import Hdfs
from etl.settings import Settings
from stack import parts

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

HEAP = "2g"
HERE = "127.0.0.1"


def opened(settings: Settings, threads: int) -> SparkSession:
    """The session, with the jars that read Kafka and the stack's HDFS as its file system."""
    from pyspark.sql import SparkSession

    os.environ |= {
        "JAVA_HOME": str(parts.java().parent.parent),
        "HADOOP_CONF_DIR": str(settings.home / "conf" / "client"),
        "HADOOP_USER_NAME": settings.hdfs_user,
        "SPARK_LOCAL_IP": HERE,
    }
    spark = (
        SparkSession.builder.master(f"local[{threads}]")
        .appName("benchmark")
        .config("spark.driver.memory", HEAP)
        .config("spark.driver.host", HERE)
        .config("spark.driver.bindAddress", HERE)
        .config("spark.driver.extraJavaOptions", "-Duser.timezone=UTC")
        .config("spark.jars", ",".join(str(path) for path in sorted((parts.SHARE / "spark").glob("*.jar"))))
        .config("spark.local.dir", settings.home / "tmp")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", 2 * threads)  # as in the stack's Spark server
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def values(spark: SparkSession, settings: Settings, **options: Any) -> DataFrame:
    """Every message of the topic, as text in the column `value`."""
    reader = spark.read.format("kafka").option("kafka.bootstrap.servers", settings.bootstrap_servers)
    return reader.option("subscribe", settings.topic).options(**options).load().selectExpr("CAST(value AS STRING)")


def run(
    folder: str,
    threads: int,
    work: Callable[[SparkSession, Settings, str], None],
    count: Callable[[SparkSession, str], dict[str, int]],
) -> None:
    """Do the work into a folder of HDFS below the root's parent, and print what came out of it."""
    settings = settings_module.load()
    began = time.monotonic()
    spark = opened(settings, threads)
    started = time.monotonic()
    target = f"{settings.warehouse_root}-{folder}"
    work(spark, settings, target)
    seconds = time.monotonic() - started
    result = {"start_seconds": started - began, "work_seconds": seconds, "counts": count(spark, target)}
    size = Hdfs(settings.model_copy(update={"warehouse_root": target})).size()
    print(json.dumps({**result, "bytes": size}))
    spark.stop()
