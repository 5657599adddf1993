"""Reads how things stand from Kafka, HDFS and the engines: no SQL is run and nothing is written.

`status`, `check` and the metrics show these facts. A fact of a server that is away is None, and `unknown` says why.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from etl.errors import WarehouseError
from etl.land import offsets
from etl.monitoring import conditions
from etl.servers import kafka, running
from etl.servers.hdfs import Hdfs
from etl.settings import Settings
from etl.store import landings, ledger
from etl.store.ledger import PUBLISHED, ROLLED_BACK, Ledger
from etl.validate.suites import CRITICAL

Rows = Sequence[dict[str, Any]]
Time = datetime.datetime


@dataclass(frozen=True)
class Facts:
    """The facts in the order of their output; times are in UTC, None is not known or not there yet."""

    observed_at: Annotated[Time, "When these facts were read"]
    newest_message_at: Annotated[Time | None, "When the newest message in Kafka was published"] = None
    landing: Annotated[int | None, "Number of the newest landing"] = None
    landed_at: Annotated[Time | None, "When it was landed"] = None
    landed_up_to: Annotated[str | None, "Offset that the next landing starts at, as partition:offset"] = None
    release: Annotated[int | None, "The release that readers see"] = None
    release_landing: Annotated[int | None, "The last landing that it shows"] = None
    release_since: Annotated[Time | None, "Since when readers see it"] = None
    lag_messages: Annotated[int | None, "Offsets in Kafka that readers do not see yet"] = None
    lag_seconds: Annotated[
        float | None, "How long ago the oldest message that readers do not see yet was published"
    ] = None
    age_seconds: Annotated[float | None, "The lag in seconds, or without a lag the age of the newest message"] = None
    lost: Annotated[str | None, "Messages that Kafka lost before they were landed"] = None
    validated_release: Annotated[int | None, "The release that the last validation checked"] = None
    validated_at: Annotated[Time | None, "When that validation began"] = None
    expectations_met: Annotated[int | None, "Expectations met in the last validation"] = None
    critical_failures: Annotated[int | None, "Critical expectations that failed in the last validation"] = None
    other_failures: Annotated[int | None, "Other expectations that failed in the last validation"] = None
    failing: Annotated[tuple[str, ...], "Commands of this home that failed last time, since when and why"] = ()
    running: Annotated[tuple[str, ...] | None, "Statements that run on the engines, the oldest first"] = None
    unknown: Annotated[tuple[str, ...], "Servers that do not answer, and why"] = ()


def facts(settings: Settings) -> Facts:
    """Read the facts; a server that is away is a line of `unknown`."""
    now = datetime.datetime.now(datetime.UTC)
    values: dict[str, Any] = {}
    unknown: list[str] = []

    def read(source: Callable[[], dict[str, Any]]) -> None:
        try:
            values.update(source())
        except WarehouseError as error:
            unknown.append(str(error))

    stored: list[tuple[Rows, Rows]] = []  # the accounts of the newest landing and of the last that readers see
    read(lambda: _of_hdfs(Hdfs(settings), stored))
    read(lambda: _of_kafka(settings, stored, now))
    read(lambda: _of_engines(settings))
    fails = (f"{each['condition']}, since {each['since']}: {each['message']}" for each in conditions.failing(settings))
    return Facts(observed_at=now, failing=tuple(fails), unknown=tuple(unknown), **values)


def _of_hdfs(hdfs: Hdfs, stored: list[tuple[Rows, Rows]]) -> dict[str, Any]:
    """What was landed, published and validated; puts the two accounts into `stored`."""
    generation = landings.current(hdfs)
    log = Ledger(hdfs)
    events = log.events()
    published = ledger.fold(events).published
    newest = landings.account(hdfs, generation.folders[-1]) if generation.folders else []
    visible = published.landing if published else 0
    folder = next((folder for folder in generation.folders if folder.last >= visible), None)
    rows = landings.account(hdfs, folder) if folder and visible else []
    stored.append((newest, [row for row in rows if row["landing"] == visible]))
    values: dict[str, Any] = {"landing": generation.last, **_verdict(hdfs)}
    if newest:
        places = [f"{row['kafka_partition']}:{row['end_offset']}" for row in newest]
        values |= {"landed_at": Time.fromisoformat(newest[0]["landed_at"]), "landed_up_to": ", ".join(places)}
    if published:
        switched = [event.decided_at for event in events if event.action in (PUBLISHED, ROLLED_BACK)]
        values |= {"release": published.release, "release_landing": published.landing}
        values |= {"release_since": Time.fromisoformat(switched[-1])}
    return values


def _verdict(hdfs: Hdfs) -> dict[str, Any]:
    """The outcome of the last validation, from the file of its results."""
    folder = ("ops", "expectation_results_v1")
    runs = [name for name in hdfs.names(*folder) if not name.startswith(".")]
    rows = hdfs.rows(*folder, runs[-1]) if runs else []
    if not rows:
        return {}
    failed = [row["severity"] for row in rows if not row["is_met"]]
    critical = failed.count(CRITICAL)
    return {
        "validated_release": rows[0]["release"],
        "validated_at": Time.fromisoformat(rows[0]["validated_at"]),
        "expectations_met": len(rows) - len(failed),
        "critical_failures": critical,
        "other_failures": len(failed) - critical,
    }


def _of_kafka(settings: Settings, stored: Sequence[tuple[Rows, Rows]], now: Time) -> dict[str, Any]:
    """What Kafka holds, and how far readers are behind it where HDFS says what they see."""
    topic = kafka.describe(settings)
    newest = kafka.newest_at(settings, topic)
    values: dict[str, Any] = {"newest_message_at": newest}
    for landed, visible in stored:
        try:
            offsets.ranges(topic, landed, set())
        except WarehouseError as error:
            values["lost"] = str(error)
        ends = {row["kafka_partition"]: row["end_offset"] for row in visible}
        starts = {number: max(first, ends.get(number, first)) for number, (first, _) in topic.offsets.items()}
        oldest = kafka.oldest_at(settings, topic, starts)
        complete = oldest or newest  # readers see all that was published before
        values |= {
            "lag_messages": sum(max(0, end - starts[number]) for number, (_, end) in topic.offsets.items()),
            "lag_seconds": _seconds(now, oldest) if oldest else 0.0,
            "age_seconds": _seconds(now, complete) if complete else None,
        }
    return values


def _seconds(now: Time, before: Time) -> float:
    """Seconds between the two; a message may have a time of another clock, ahead of this one."""
    return max(0.0, (now - before).total_seconds())


def _of_engines(settings: Settings) -> dict[str, Any]:
    """What runs, where Spark's web address is set."""
    if not settings.spark_web:
        return {}
    statements = running.running(settings)
    return {"running": tuple(f"{each.engine}, since {each.since:%H:%M:%S}: {each.text}" for each in statements)}
