"""Spark sessions: a client of a Connect server, or a driver of its own on a master."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from etl.errors import ServerError, UsageError
from etl.servers.hive import reduced
from etl.settings import Settings
from etl.terminal import Bar

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BATCH_BYTES = 16 << 20  # of messages at once in a worker: a column of Arrow holds 2 GB, a worker's memory less
NO_PAGE: dict[str, Any] = {"spark.ui.enabled": "false"}  # a driver's own would listen on every address
LOCAL = {**NO_PAGE, "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
RETRIES = 7  # of a call to the Connect server, over some 10 seconds


@contextlib.contextmanager
def session(settings: Settings, identity: str, task: str, bar: Bar | None = None) -> Iterator[SparkSession]:
    """A Spark session for a task, which ends with the block and with it whatever runs in it; its jobs show on the bar.

    Raises ServerError when it cannot be had, or a job in it fails.
    """
    from pyspark.errors import PySparkException

    spark = _open(settings, identity)
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
    if settings.address("spark").startswith("sc://"):
        with contextlib.suppress(Exception):  # it has ended long since, as nearly always
            _open(settings, identity).stop()


def _open(settings: Settings, identity: str) -> SparkSession:
    """A Connect client for `sc://`, in a session of this name; else a driver of its own on that master."""
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    if not settings.address("spark").startswith("sc://"):
        builder = SparkSession.builder.master(settings.spark).appName("warehouse land").enableHiveSupport()
        return builder.config(map=LOCAL if settings.spark.startswith("local") else NO_PAGE).getOrCreate()
    address = settings.spark.partition(";")[0].removeprefix("sc://").rstrip("/")
    try:
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=10).close()
        spark = SparkSession.builder.remote(_remote(settings, identity)).getOrCreate()
    except PySparkException as error:  # its text holds the options, and these may hold a token
        raise UsageError(
            f"the session with Spark cannot be configured: {error.getCondition()}",
            "write the setting spark as sc://host:port/;name=value, and unset MASTER and SPARK_REMOTE",
        ) from None
    except (OSError, ValueError, OverflowError) as error:
        raise ServerError(
            f"no Spark Connect server at {address}: {error}",
            "start it with ./warehouse up or set WAREHOUSE_SPARK",
        ) from error
    from pyspark.sql.connect.client.retries import DefaultPolicy

    # By default a client waits ten minutes for a server that went away.
    spark.client.set_retry_policies([DefaultPolicy(max_retries=RETRIES, max_backoff=2_000)])
    return spark


def _remote(settings: Settings, identity: str) -> str:
    """The address of the Connect server with the options of the setting, the token and the name of the session."""
    server, _, options = settings.spark.partition(";")
    # As a header of each call: for its own token setting PySpark requires TLS, or a server named localhost.
    token = (token := settings.token()) and f"authorization={quote(f'Bearer {token}', safe='')}"
    return f"{server.rstrip('/')}/;{';'.join(filter(None, (options, token, f'session_id={identity}')))}"


def _cause(error: Exception) -> str:
    """The cause among Spark's many lines: the last that names a Python error, else the first that is informative.

    Where a task failed to write, HDFS's own words are the last cause of the server's trace.
    """
    if details := re.search(r'details = "(.+)"', str(error)):  # of gRPC, such as a token that is missing
        return details[1][:300]
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ["no cause given"]
    named = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    if named:
        return named[-1][:300]
    trace = getattr(error, "getStackTrace", lambda: None)() or ""
    causes = re.findall(r"^Caused by: (.+)$", trace, re.MULTILINE)
    last = reduced(causes[-1]) if causes else ""
    return ": ".join(filter(None, (lines[0][:300], last if last not in lines[0] else "")))
