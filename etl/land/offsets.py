"""Decides which offsets the next landing covers, and which Kafka lost before they were landed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from etl.errors import ExpectationError, UsageError, WarehouseError
from etl.servers.kafka import Topic

GAP = re.compile(r"[0-9]+:[0-9]+-[0-9]+")


def gaps_of(texts: Iterable[str]) -> set[str]:
    """Parse gaps such as `0:100-199,1:0-4`; UsageError for another form."""
    gaps = {gap.strip() for text in texts for gap in text.split(",")}
    if wrong := {gap for gap in gaps if not GAP.fullmatch(gap)}:
        raise UsageError(
            f"{min(wrong)!r} is not a range of lost offsets", "write partition:first-last, as in 0:100-199"
        )
    return gaps


def refuse_another(topic: Topic, before: Sequence[dict[str, Any]]) -> None:
    """Raise WarehouseError for a topic that was deleted and created again: its offsets are those of other messages."""
    if before and before[0]["topic_id"] != topic.id:
        raise WarehouseError(
            f"topic {topic.name} is not the one landed so far: its id is {topic.id}, not {before[0]['topic_id']}",
            "its offsets started again; land it into another WAREHOUSE_WAREHOUSE_ROOT",
        )


def ranges(topic: Topic, before: Sequence[dict[str, Any]], accepted: set[str]) -> list[dict[str, Any]]:
    """Return the range to read of each Kafka partition, as rows of raw.landings; `before` are the newest rows.

    Raises WarehouseError for a topic that was deleted and created again, and ExpectationError for offsets that Kafka
    has lost, unless `accepted` holds each of the gaps.
    """
    refuse_another(topic, before)
    ends = {row["kafka_partition"]: row["end_offset"] for row in before}
    rows = []
    for partition, (first, end) in sorted(topic.offsets.items()):
        landed = ends.get(partition, 0 if before else first)  # an added partition is read from its beginning
        if end < landed:
            raise ExpectationError(
                f"partition {partition} of {topic.name} ends at offset {end}, but was landed up to {landed}: "
                "Kafka lost messages that are in the warehouse",
                "have the broker's data restored, or land the topic into another WAREHOUSE_WAREHOUSE_ROOT",
            )
        start = max(landed, first)
        rows.append(
            {
                "kafka_topic": topic.name,
                "topic_id": topic.id,
                "kafka_partition": partition,
                "start_offset": start,
                "end_offset": max(start, end),
                "lost_count": start - landed,
            }
        )
    _refuse_losses(topic, rows, accepted)
    return rows


def _refuse_losses(topic: Topic, rows: Sequence[dict[str, Any]], accepted: set[str]) -> None:
    lost = [
        f"{row['kafka_partition']}:{row['start_offset'] - row['lost_count']}-{row['start_offset'] - 1}"
        for row in rows
        if row["lost_count"]
    ]
    if absent := accepted - set(lost):
        raise UsageError(
            f"{topic.name} did not lose {', '.join(sorted(absent))}",
            f"name the lost offsets: --accept-loss {','.join(lost)}" if lost else "land without --accept-loss",
        )
    if set(lost) != accepted:
        count = sum(row["lost_count"] for row in rows)
        raise ExpectationError(
            f"{topic.name} lost {count:,} offsets in Kafka before they were landed (partition:first-last): "
            f"{', '.join(lost)}",
            f"find out what removed them, then continue with land --accept-loss {','.join(lost)}",
        )
