"""Lands rejected messages that now fit the contract in the raw table, each once, as a landing of their own.

Such a landing does not read Kafka. raw.landings lists the offsets that it landed, and the view raw.rejected_messages
leaves these out: it shows the messages that can still be replayed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from etl.land import land, spark_job
from etl.land.land import Landed
from etl.servers import spark
from etl.settings import Settings
from etl.terminal import progress

# Of landings behind the loader's own, which another one has added meanwhile, it knows neither partitions nor offsets.
COUNT = "SELECT COUNT(*) FROM raw.rejected_messages WHERE landing < {number}"
MESSAGES = """
SELECT
    kafka_topic AS topic,
    kafka_partition AS partition,
    kafka_offset AS offset,
    kafka_timestamp AS timestamp,
    UNBASE64(key_base64) AS key,
    TRANSFORM(headers, header -> STRUCT(header.name AS key, UNBASE64(header.value_base64) AS value)) AS headers,
    UNBASE64(CONCAT(message_base64, CONCAT_WS('', more_base64))) AS value
FROM raw.rejected_messages
WHERE landing < {number}
"""
PLACE = r'"kafka_partition":([0-9]+),"kafka_offset":([0-9]+)'  # only the landing and the topic's name stand before it


@dataclass(frozen=True)
class Replayed:
    """The result of a replay: its landing, and how many messages are still rejected."""

    landed: Landed
    rejected: int


def replay(settings: Settings, say: Callable[[str], None]) -> Replayed:
    """Check every rejected message again, and land those that fit.

    Raises WarehouseError when another loader is running.
    """
    with progress("replay") as bar, land.loading(settings) as loader:
        count: int = loader.hive.query(COUNT.format(number=loader.number)).rows[0][0]
        if not count:
            return Replayed(Landed(0, []), 0)
        say(f"checking {count:,} rejected messages again")
        partitions = [row["kafka_partition"] for row in loader.before]
        with spark.session(settings, loader.identity, "replay rejected messages", bar) as session:
            messages = session.sql(MESSAGES.format(number=loader.number))
            lines = spark_job.checked(session, messages, loader.number, loader.erased)
            lines = lines.where(f"`table` = '{spark_job.ACCEPTED}'")
            counts = spark_job.write(lines, loader.staging, partitions)
            if not any(counts.values()):
                loader.hdfs.remove(*loader.folder)
                return Replayed(Landed(0, []), count)
            staged = session.read.text(f"{loader.staging}/table={spark_job.ACCEPTED}")
            places = staged.selectExpr(*(f"CAST(REGEXP_EXTRACT(value, '{PLACE}', {n}) AS BIGINT)" for n in (1, 2)))
            replayed = defaultdict(list)
            for partition, offset in sorted(tuple(row) for row in places.collect()):
                replayed[partition].append(offset)
        rows = [
            {
                **row,
                "start_offset": row["end_offset"],
                "accepted_count": counts[row["kafka_partition"], spark_job.ACCEPTED],
                "rejected_count": 0,
                "erased_count": 0,
                "absent_count": 0,
                "lost_count": 0,
                "replayed_offsets": replayed[row["kafka_partition"]],
            }
            for row in loader.before
        ]
        landed = loader.commit(rows)
        return Replayed(landed, count - landed.accepted)
