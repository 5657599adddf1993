"""Reads the rejected messages: their reasons with counts, or the exact bytes of one message."""

from __future__ import annotations

import base64
import re

from etl import sqlfile
from etl.errors import UsageError
from etl.servers.hive import Hive, Result

BY_REASON = """
SELECT alike AS reason, COUNT(*) AS messages, MAX(CASE WHEN place = 1 THEN message END) AS first_message
FROM (
    SELECT
        alike,
        CONCAT(kafka_partition, ':', kafka_offset) AS message,
        ROW_NUMBER() OVER (PARTITION BY alike ORDER BY kafka_timestamp, kafka_partition, kafka_offset) AS place
    FROM (
        SELECT
            kafka_timestamp,
            kafka_partition,
            kafka_offset,
            REGEXP_REPLACE(reason, '(^|[^A-Za-z0-9_-])[0-9][0-9,]*', '$1N') AS alike
        FROM raw.rejected_messages
    ) AS reasons
) AS messages
GROUP BY alike
ORDER BY messages DESC, reason ASC
"""


def by_reason(hive: Hive) -> Result:
    """Return the rejected messages by reason, most frequent first; numbers in a reason, such as positions, become N."""
    return hive.query(BY_REASON)


def message(hive: Hive, place: str) -> bytes | None:
    """Return the exact bytes of the rejected message at `partition:offset`; None for a tombstone, which has none.

    Raises UsageError where no message was rejected there.
    """
    match = re.fullmatch("([0-9]{1,9}):([0-9]{1,18})", place)
    if not match:
        raise UsageError(f"{place!r} is not the place of a message", "write partition:offset, as in 0:17")
    table = sqlfile.versions("raw.rejected_messages")[-1].table  # unlike the view, it keeps replayed messages
    rows = hive.query(
        f"SELECT CONCAT(message_base64, CONCAT_WS('', more_base64)) FROM {table} "  # noqa: S608
        f"WHERE kafka_partition = {match[1]} AND kafka_offset = {match[2]}"
    ).rows
    if not rows:
        raise UsageError(f"no message was rejected at {place}", "./warehouse rejected shows the first of each reason")
    (encoded,) = rows[0]
    return None if encoded is None else base64.b64decode(encoded)
