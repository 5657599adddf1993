"""Shows what was rejected: the messages by reason, or one of them, byte for byte."""

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
    """The rejected messages by reason, most frequent first; numbers in a reason, such as positions, are made N."""
    return hive.query(BY_REASON)


def message(hive: Hive, place: str) -> bytes | None:
    """The exact bytes of the rejected message at `partition:offset`, None for a tombstone, which has none.

    Raises UsageError where no message was rejected there.
    """
    found = re.fullmatch("([0-9]{1,9}):([0-9]{1,18})", place)
    if not found:
        raise UsageError(f"a message cannot be {place!r}", "write partition:offset, as in 0:17")
    table = sqlfile.versions("raw.rejected_messages")[-1].table  # which keeps also what was replayed since
    rows = hive.query(
        f"SELECT CONCAT(message_base64, CONCAT_WS('', more_base64)) FROM {table} "  # noqa: S608
        f"WHERE kafka_partition = {found[1]} AND kafka_offset = {found[2]}"
    ).rows
    if not rows:
        raise UsageError(f"no message was rejected at {place}", "./warehouse rejected shows the first of each reason")
    (encoded,) = rows[0]
    return None if encoded is None else base64.b64decode(encoded)
